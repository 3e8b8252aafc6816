"""Blocks on a GPU, or on an emulated one; nothing that decides enters."""
