"""Processes that watch what may hang, and the link to them; what they watch may not enter."""
