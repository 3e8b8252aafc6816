"""Load paths between the samples of a trace, loads by name, and their split for learning."""
