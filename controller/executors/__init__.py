"""Executors, which render the blocks of streams, each a file or a folder; no plant enters."""
