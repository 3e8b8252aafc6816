"""The threads of programs that are not ours: which play, and how they are scheduled."""
