"""Blocks on the processors of this machine: a process a worker, rings in shared memory between
them.
"""
