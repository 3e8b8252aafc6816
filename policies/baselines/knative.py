"""The Pod Autoscaler of Knative: a stable window, and panic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from policies.baselines.baseline import SHARES, LoadBaseline
from policies.baselines.node_law import NodeReading, kept, number, propose, window
from policies.constants import Share, Streams
from policies.policy import State
from policies.proposal import Proposal

UP_FACTOR = 1000.0
DOWN_FACTOR = 2.0
PANIC_RATIO = 2.0
STABLE_S = 60.0
PANIC_S = 6.0


def desired(mean: float, per_node: float, ready: int) -> int:
    """Nodes for this concurrency, at most a thousandfold and at least half of those ready."""
    most = math.ceil(UP_FACTOR * max(ready, 1))
    least = math.floor(max(ready, 1) / DOWN_FACTOR)
    return max(least, min(most, math.ceil(mean / per_node - 1e-9)))


@dataclass(frozen=True, slots=True)
class Knative(LoadBaseline):
    """Concurrency is the load; a node is to have `target_share` of `streams_per_node`."""

    target_share: Share = 0.7
    streams_per_node: Streams = 100.0

    name: ClassVar[str] = "knative"
    SWEEP: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType({"target_share": SHARES})

    def follow(
        self, reading: NodeReading, load: float, saved: dict[str, State]
    ) -> tuple[Proposal, State]:
        """Nodes for the mean of a minute; in a panic at least those for the last six seconds."""
        now_s = reading.time_s
        loads = window(saved.get("loads"), now_s, STABLE_S)
        loads.append([now_s, load])
        latest = [each for time_s, each in loads if time_s > now_s - PANIC_S]
        per_node = self.target_share * self.streams_per_node
        stable = desired(sum(each for _, each in loads) / len(loads), per_node, reading.ready)
        panic = desired(sum(latest) / len(latest), per_node, reading.ready)
        until_s = number(saved.get("panic_until_s"), -math.inf)
        if panic / max(reading.ready, 1) >= PANIC_RATIO:
            until_s = now_s + STABLE_S
        panicking = now_s < until_s
        wanted = max(stable, panic, reading.wanted) if panicking else stable
        why = f"{load:.0f} streams, {per_node:.0f} are wanted on a node"
        remembers: dict[str, State] = {"loads": kept(loads)}
        if panicking:
            why += "; in panic nothing shrinks"
            remembers["panic_until_s"] = until_s
        return propose(reading, reading.clamped(wanted), why), remembers
