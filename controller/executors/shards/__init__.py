"""Shards, the streams that one worker renders together: who has them; no kind of worker enters."""
