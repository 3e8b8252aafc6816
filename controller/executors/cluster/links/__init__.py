"""Frames between processes, and how good the way between them is; nothing here decides anything."""
