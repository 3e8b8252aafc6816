"""`calibrate`: what this machine and its servers take for a block."""
