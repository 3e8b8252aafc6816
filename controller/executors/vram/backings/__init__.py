"""What lies under an arena, one kind a file; nothing here knows what the bytes are for."""
