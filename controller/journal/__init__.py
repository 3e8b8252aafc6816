"""The journal outlives the process: ticks, memories and orders, on disk; nobody decides here."""
