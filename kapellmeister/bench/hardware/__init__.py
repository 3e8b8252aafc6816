"""`bench hardware`: what a device carries, beside processors, CuPy alone, and goals."""
