"""Blocks on a graphics processor, batched; CUDA is opened in its worker process alone."""
