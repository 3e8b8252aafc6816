"""A round of blocks to worker processes and back, ours beside bare ways and peers; no sound."""
