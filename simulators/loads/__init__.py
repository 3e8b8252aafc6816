"""What runs between the samples of a trace, loads by name, and how they are split for learning."""
