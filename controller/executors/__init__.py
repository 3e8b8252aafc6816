"""Executors, which render the blocks of streams, one folder each; no plant or policy enters."""
