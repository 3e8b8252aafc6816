"""Plants that exist only in numbers, and what is asked of them; no wall clock enters."""
