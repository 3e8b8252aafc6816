"""One thing that could be done, and the names by which such steps are remembered."""

from __future__ import annotations

from dataclasses import dataclass

from policies.proposal import Action

NODES_STEP = "nodes_"
"""Prefix of the name of a step to so many nodes."""
SAVING = " to save a node"
"""Suffix of the name of a step that relieves nothing, and so is remembered apart."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One thing that could be done; `action` is None where it is not open, and `why_not` says why.

    `step` tells it from the others and stays the same when its figures change.
    """

    step: str
    action: Action | None = None
    why_not: str = ""
