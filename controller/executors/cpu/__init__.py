"""Blocks on the processors of this machine: a process a worker, shared rings between them."""
