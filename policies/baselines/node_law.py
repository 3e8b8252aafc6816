"""Node laws of other systems: their readings, and the count that they propose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from policies.knobs import Bounds
from policies.observation import fresh
from policies.policy import Context, State
from policies.proposal import Action, Effect, Expectation, Proposal


@dataclass(slots=True)
class NodeReading:
    """Readings of a node law; None where no valid reading arrived.

    `wanted` is the count last asked for, `ready` the nodes that serve, `utilisation` their mean.
    """

    time_s: float
    wanted: int
    ready: int
    utilisation: float | None
    load: float | None
    bounds: Bounds

    @classmethod
    def of(cls, context: Context) -> NodeReading | None:
        """None on a plant without nodes to turn."""
        knob, in_force = context.knobs.get("nodes"), context.settings.get("nodes")
        if knob is None or not isinstance(knob.domain, Bounds) or not isinstance(in_force, int):
            return None
        state = context.states.get("nodes")
        requested = None if state is None else state.requested
        ready = fresh(context.observation.get("nodes.ready"))
        return cls(
            time_s=context.time_s,
            wanted=requested if isinstance(requested, int) else in_force,
            ready=in_force if ready is None else int(ready),
            utilisation=fresh(context.observation.get("nodes.utilisation")),
            load=fresh(context.observation.load),
            bounds=knob.domain,
        )

    def clamped(self, nodes: float) -> int:
        """A whole number of nodes within the knob's bounds."""
        return max(self.bounds.low, min(self.bounds.high, math.ceil(nodes - 1e-9)))


def propose(reading: NodeReading, nodes: int, why: str) -> Proposal:
    """Ask for that many; nothing where they are asked for already.

    Such laws predict nothing, and so promise nothing that a change could be held against: it
    is never undone on their account.
    """
    if nodes == reading.wanted:
        return Proposal(reason=why)
    effect = Effect("miss_rate", "of the blocks", (Expectation(reading.load or 0.0, 1.0, 1.0),))
    return Proposal((Action("nodes", nodes, why, effect),))


def remembered(state: State) -> dict[str, State]:
    """The state of a law after its last decision; nothing at the first."""
    return dict(state) if isinstance(state, dict) else {}


def number(value: State, otherwise: float) -> float:
    """A number out of a state."""
    return float(value) if isinstance(value, int | float) else otherwise


Pairs = list[list[float]]
"""Times and values, the earliest first."""


def window(value: State, time_s: float, length_s: float) -> Pairs:
    """The (time, value) pairs out of a state that are not older than `length_s`.

    Raises ValueError, TypeError or LookupError for a list of anything else.
    """
    if not isinstance(value, list):
        return []
    begin_s = time_s - length_s
    return [pair for pair in cast(Pairs, value) if pair[0] > begin_s]


def frontier(value: State, time_s: float, length_s: float, latest: float) -> Pairs:
    """The pairs of a window that may still become its highest, the highest first.

    With the latest one; none of them is lower than a later one.
    """
    pairs = window(value, time_s, length_s)
    while pairs and pairs[-1][1] <= latest:
        pairs.pop()
    pairs.append([time_s, latest])
    return pairs


def kept(pairs: Pairs) -> State:
    """The pairs as a state."""
    return cast(State, pairs)
