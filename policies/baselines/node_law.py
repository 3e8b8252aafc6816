"""What the node laws of other systems have in common: a count, and how it is proposed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from policies.knobs import Bounds
from policies.observation import fresh
from policies.policy import Context, State
from policies.proposal import Action, Effect, Expectation, Proposal


@dataclass(frozen=True, slots=True)
class NodeReading:
    """What a node law looks at; None where no valid reading arrived.

    `wanted` is the count last asked for, `ready` the nodes that serve, `utilisation` their mean.
    """

    time_s: float
    wanted: int
    ready: int
    utilisation: float | None
    load: float | None
    low: int
    high: int

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
            low=knob.domain.low,
            high=knob.domain.high,
        )

    def clamped(self, nodes: float) -> int:
        """A whole number of nodes within the knob's bounds."""
        return max(self.low, min(self.high, math.ceil(nodes - 1e-9)))


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
    """What a law wrote at its last decision; nothing at the first."""
    return dict(state) if isinstance(state, dict) else {}


def number(value: State, otherwise: float) -> float:
    """A number out of a state."""
    return float(value) if isinstance(value, int | float) else otherwise


def window(value: State, time_s: float, length_s: float) -> list[tuple[float, float]]:
    """The (time, value) pairs that `kept` wrote and that are not older than `length_s`.

    Raises ValueError or TypeError for a list of anything else.
    """
    if not isinstance(value, list):
        return []
    begin_s = time_s - length_s
    pairs = cast(list[tuple[float, float]], value)
    return [(at_s, each) for at_s, each in pairs if at_s > begin_s]


def kept(pairs: list[tuple[float, float]]) -> State:
    """The pairs as a state."""
    return [[time_s, value] for time_s, value in pairs]
