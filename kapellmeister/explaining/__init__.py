"""`explain`: decisions in words, and what other decisions would have cost."""
