"""Blocks on nodes of several hosts, each part in a room of its own; no node is ever forked."""
