"""Devices: the contract, CUDA and its emulation, and whether CUDA can be used; no sound enters."""
