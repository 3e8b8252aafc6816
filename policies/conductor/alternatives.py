"""One thing that could be done, and what all that weigh such things ask of what was seen."""

from __future__ import annotations

from dataclasses import dataclass

from policies.conductor.node_capacity import nodes_in_force
from policies.conductor.outlook import Outlook
from policies.knobs import Bounds
from policies.observation import fresh
from policies.policy import Context
from policies.proposal import Action

NODES_STEP = "nodes_"
"""Begins the name of a step to so many nodes."""
UNEXPLAINED = 3.0
"""More than so many times the misses that the model expects have another cause than the load."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One thing that could be done; `action` is None where it is not open, and `why_not` says why.

    `step` tells it from the others and stays the same when its figures change.
    """

    step: str
    action: Action | None = None
    why_not: str = ""


def missed(context: Context) -> float:
    """The miss rate of the interval, 0 where it is not known."""
    return fresh(context.observation.miss_rate) or 0.0


def is_explained(context: Context, outlook: Outlook) -> bool:
    """Whether about as much is missed as the load makes of the nodes in force."""
    law_says = float(outlook.law.miss_rate(outlook.load, nodes_in_force(context) or 1))
    return missed(context) <= max(outlook.target_miss_rate, UNEXPLAINED * law_says)


def bounds_of_nodes(context: Context) -> Bounds | None:
    """How many there may be; None where they cannot be counted."""
    knob = context.knobs.get("nodes")
    return knob.domain if knob is not None and isinstance(knob.domain, Bounds) else None
