"""The common part of the plants of JACK and PipeWire; nothing of either server alone enters."""
