"""Sensors, and what is exposed of their readings."""
