"""`bench vram`: the arena under streams that come and go, beside allocators that do not move."""
