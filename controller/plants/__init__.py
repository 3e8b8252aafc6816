"""What can be controlled."""
