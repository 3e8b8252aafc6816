"""Which resource holds the blocks up: signs, causes and their order; nothing is turned here."""
