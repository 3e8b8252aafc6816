"""Sensors of processors and threads; nothing that is told to others enters."""
