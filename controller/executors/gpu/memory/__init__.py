"""The arena as streams use it: states, responses, how states begin. What renders stays outside."""
