"""What a run controls, ours or attached to, behind one interface; nothing of the loop enters."""
