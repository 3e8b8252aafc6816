"""What this machine is, grants and lacks, as `doctor` tells it."""
