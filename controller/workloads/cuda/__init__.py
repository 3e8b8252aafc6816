"""Kernels of the workloads for a GPU, each with its twin on arrays; nothing here opens a device."""
