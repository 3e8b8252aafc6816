"""A plant in numbers: nodes that start, serve, fail and cost; no load is made here."""
