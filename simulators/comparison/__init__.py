"""Many policies on many traces, side by side; nothing of a single simulation enters."""
