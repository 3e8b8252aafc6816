"""Which processes a person means by a program; nothing is done to them here."""
