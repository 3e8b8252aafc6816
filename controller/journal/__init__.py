"""The journal outlives the process: ticks, states and orders, on disk; nobody decides here."""
