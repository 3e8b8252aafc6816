"""Names of what a pipeline keeps in its directory."""

from __future__ import annotations

SOCKET_NAME = "pipeline.sock"
LOCK_NAME = "pipeline.lock"
LOG_NAME = "pipeline.log"
ORPHAN_SUMMARY = "pipeline-summary.json"
"""File of the summary where no controller asked for it."""
PICTURES = "pictures"
"""Folder of the pictures of the live streams."""
