"""What a terminal asks of any command: progress, durations, Ctrl-C."""
