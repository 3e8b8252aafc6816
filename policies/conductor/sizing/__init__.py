"""How many nodes, from what is learned of the load, of a miss and of a node; no other knob."""
