"""Workloads as steps of kernels and transforms, one a file; memory is reserved elsewhere."""
