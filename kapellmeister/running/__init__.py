"""`run`: a plant started or attached to, controlled, shown and reported."""
