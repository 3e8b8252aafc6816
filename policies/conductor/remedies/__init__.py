"""Remedies against a bottleneck, one knob a file, and settings that would cost less."""
