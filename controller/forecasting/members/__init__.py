"""Models of the load, a file each, blind to each other and to the ensemble."""
