"""Jobs of an experiment and what plays them; nothing of what a job computes enters."""
