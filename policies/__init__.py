"""The vocabulary of decisions, and the policies themselves: pure values and functions; no clock,
no file, no process enters.
"""
