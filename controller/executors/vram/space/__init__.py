"""Where allocations lie, in offsets alone: region, slabs, what drains; no byte is touched here."""
