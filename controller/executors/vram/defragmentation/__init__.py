"""Moving allocations together: which window to clear, and a pass that does it or is abandoned."""
