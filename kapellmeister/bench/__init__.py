"""Figures measured on the machine at hand, each beside its goal; no test times anything."""
