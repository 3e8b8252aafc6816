"""`simulate`, `compare` and `forecast`: jobs on plants and loads in numbers."""
