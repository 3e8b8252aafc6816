"""What runs the blocks of streams, one backend a folder; no plant and no policy enters."""
