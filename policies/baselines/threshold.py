"""Step scaling: one node more above a threshold, one fewer below another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from policies.baselines.baseline import NodeBaseline
from policies.baselines.node_law import NodeReading, number, propose, remembered
from policies.constants import Fraction, Seconds, Share
from policies.policy import Context, State
from policies.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Threshold(NodeBaseline):
    """Grows by a share when busier than `high`, shrinks by one when idler than `low` for long."""

    high: Share = 0.8
    low: Fraction = 0.5
    step: Fraction = 0.25
    shrink_after_s: Seconds = 300.0

    name: ClassVar[str] = "threshold"
    SWEEP: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType(
        {"high": (0.35, 0.5, 0.6, 0.7, 0.8), "low": (0.3,)}
    )

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Nothing is done while new nodes are on their way, or without a reading."""
        reading = NodeReading.of(context)
        if reading is None or reading.utilisation is None:
            return Proposal(reason="no utilisation of nodes is known"), state
        saved, busy = remembered(state), reading.utilisation
        target = int(number(saved.get("target"), reading.wanted))
        since_s: float | None = None
        if busy > self.high and reading.ready >= target:
            target = reading.clamped(target + max(1.0, self.step * target))
        elif busy < self.low:
            since_s = number(saved.get("idle_since_s"), reading.time_s)
            if reading.time_s - since_s >= self.shrink_after_s:
                target, since_s = reading.clamped(target - 1), reading.time_s
        remembers: State = {"target": target, "idle_since_s": since_s}
        return propose(reading, target, f"nodes are {busy:.0%} busy"), remembers
