"""One model of the load a file, each blind to the others and to the ensemble."""
