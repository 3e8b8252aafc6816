"""One command a file: its options and its help; the work is done in the other rooms."""
