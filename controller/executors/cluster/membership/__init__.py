"""Who is in the cluster: nodes wanted, started and lost; no sound and no frame of it enters."""
