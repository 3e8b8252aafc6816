"""Loads as traces: read from files, recorded by runs, or made up."""
