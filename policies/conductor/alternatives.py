"""Steps that could be taken, and the names by which they are remembered."""

from __future__ import annotations

from dataclasses import dataclass

from policies.proposal import Action

NODES_STEP = "nodes_"
"""Prefix of the name of a step to so many nodes."""
SAVING = " to save a node"
"""Suffix of the name of a step that relieves nothing, and so is remembered apart."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A step that could be taken; `action` is None where it is not open, and `why_not` says why.

    `step` tells it from the others and stays the same when its figures change.
    """

    step: str
    action: Action | None = None
    why_not: str = ""
