"""Target tracking: keep the utilisation at a setpoint, and shrink only to a window's highest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from policies.baselines.baseline import NodeBaseline
from policies.baselines.node_law import NodeReading, frontier, kept, propose, remembered
from policies.constants import Seconds, Share
from policies.policy import Context, State
from policies.proposal import Proposal


@dataclass(frozen=True, slots=True)
class TargetTracking(NodeBaseline):
    """n = ceil(ready * utilisation / target), the highest of the last `window_s`."""

    target: Share = 0.6
    window_s: Seconds = 600.0

    name: ClassVar[str] = "target_tracking"
    SWEEP: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType(
        {"target": (0.2, 0.35, 0.5, 0.6, 0.7, 0.8), "window_s": (600.0,)}
    )

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Without a reading the count stays."""
        reading = NodeReading.of(context)
        if reading is None or reading.utilisation is None or reading.ready == 0:
            return Proposal(reason="no utilisation of nodes is known"), state
        wanted = reading.clamped(reading.ready * reading.utilisation / self.target)
        recent = frontier(
            remembered(state).get("wanted"), reading.time_s, self.window_s, float(wanted)
        )
        nodes = int(recent[0][1])
        why = f"nodes are {reading.utilisation:.0%} busy, the target is {self.target:.0%}"
        return propose(reading, nodes, why), {"wanted": kept(recent)}
