"""The laws of other systems, one a file, to compare with; nothing of the conductor enters."""
