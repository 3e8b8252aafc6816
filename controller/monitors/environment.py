"""The environment of a child process that runs a module of ours, wherever it is started."""

from __future__ import annotations

import os
from pathlib import Path

HOME = str(Path(__file__).resolve().parents[2])
"""Folder that holds our packages."""


def with_our_packages() -> dict[str, str]:
    """The environment of our process, in which our packages are found before any others."""
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": HOME if path is None else f"{HOME}{os.pathsep}{path}"}
