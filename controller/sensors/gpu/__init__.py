"""What a GPU tells of itself, read in a process of its own; nothing of CUDA enters."""
