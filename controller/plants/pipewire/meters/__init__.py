"""Counts the cycles of a PipeWire graph, by whichever of its tools can; decides nothing."""
