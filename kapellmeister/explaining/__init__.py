"""Explanations in words: of decisions, of what a shadow would have brought, of each key."""
