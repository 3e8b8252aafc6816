"""The machine at hand: what it is, grants and lacks, as `doctor` tells it."""
