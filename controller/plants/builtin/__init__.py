"""The pipeline of our own, started and controlled."""
