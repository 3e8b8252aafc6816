"""A pipeline in numbers, fitted to what was measured of a real one."""
