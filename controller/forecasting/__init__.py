"""Forecasters of the load: their contract, and how the loop calls them; models lie in the rooms
within.
"""
