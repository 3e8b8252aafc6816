"""Plants that a run controls, ours or attached to, behind one interface; no loop enters."""
