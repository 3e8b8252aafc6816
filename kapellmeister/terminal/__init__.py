"""The terminal's part in any command: progress, tables, words, durations, Ctrl-C."""
