"""`bench simulator`: how fast the simulator is, and how true each level of it."""
