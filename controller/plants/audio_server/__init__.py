"""What the plants of JACK and PipeWire share; nothing of either server alone enters."""
