"""Pipelines that can be controlled, one kind a folder; no policy enters."""
