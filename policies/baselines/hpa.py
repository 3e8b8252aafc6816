"""The Horizontal Pod Autoscaler of Kubernetes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from policies.baselines.baseline import SHARES, NodeBaseline
from policies.baselines.node_law import (
    NodeReading,
    frontier,
    kept,
    number,
    propose,
    remembered,
    window,
)
from policies.constants import Seconds, Share
from policies.policy import Context, State
from policies.proposal import Proposal

SYNC_S = 15.0
TOLERANCE = 0.1
EPSILON = 1e-9


def recommendation(mean: float, target: float, ready: int, unready: int) -> int:
    """Nodes that would bring the mean of the metric to its target; `ready` where it is near.

    A node that is not ready counts as idle where growing is considered, so that its start is
    not answered by yet another; where that turns the verdict round, nothing is done.
    """
    ratio = mean / target
    if abs(1.0 - ratio) <= TOLERANCE:
        return ready + unready
    if ratio < 1.0 or unready == 0:
        return math.ceil(ratio * ready - EPSILON)
    dampened = mean * ready / (ready + unready) / target
    if abs(1.0 - dampened) <= TOLERANCE or dampened < 1.0:
        return ready + unready
    return math.ceil(dampened * (ready + unready) - EPSILON)


def most_allowed(current: int, added_lately: int) -> int:
    """The most nodes after one period: 4 more or twice as many, whichever is more."""
    begun = current - added_lately
    return max(begun + 4, 2 * begun)


@dataclass(frozen=True, slots=True)
class Hpa(NodeBaseline):
    """Scales on the mean utilisation of the ready nodes; shrinks to the highest of 300 s."""

    target: Share = 0.6
    stabilisation_s: Seconds = 300.0

    name: ClassVar[str] = "hpa"
    SWEEP: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType({"target": SHARES})

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Every 15 s; without a reading the count stays."""
        reading, saved = NodeReading.of(context), remembered(state)
        if reading is None or reading.utilisation is None or reading.ready == 0:
            return Proposal(reason="no utilisation of nodes is known"), state
        now_s = reading.time_s
        if now_s < number(saved.get("next_s"), -math.inf) - 0.5:
            return Proposal(reason="between two synchronisations"), state
        unready = max(0, reading.wanted - reading.ready)
        wanted = recommendation(reading.utilisation, self.target, reading.ready, unready)
        stabilised = frontier(saved.get("recommended"), now_s, self.stabilisation_s, float(wanted))
        added = window(saved.get("added"), now_s, SYNC_S)
        nodes = reading.wanted
        if wanted > nodes:
            nodes = min(wanted, most_allowed(nodes, int(sum(each for _, each in added))))
        elif wanted < nodes:
            nodes = min(nodes, int(stabilised[0][1]))
        nodes = reading.clamped(nodes)
        if nodes > reading.wanted:
            added.append([now_s, float(nodes - reading.wanted)])
        why = f"nodes are {reading.utilisation:.0%} busy, the target is {self.target:.0%}"
        return propose(reading, nodes, why), {
            "next_s": now_s + SYNC_S,
            "recommended": kept(stabilised),
            "added": kept(added),
        }
