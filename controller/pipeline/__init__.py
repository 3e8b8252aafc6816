"""The built-in audio pipeline: a process of its own that plays on when its controller dies."""
