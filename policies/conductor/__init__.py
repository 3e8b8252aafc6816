"""The default policy: every knob decided together. What policies share stays one floor above."""
