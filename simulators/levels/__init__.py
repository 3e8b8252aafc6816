"""Levels of detail, from exact events to a closed form; no policy and no knob enters."""
