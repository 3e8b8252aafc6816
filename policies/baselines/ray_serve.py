"""The default autoscaling policy of Ray Serve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

from policies.baselines.baseline import SHARES, LoadBaseline
from policies.baselines.node_law import NodeReading, kept, number, propose, window
from policies.constants import Seconds, Share, Streams
from policies.policy import State
from policies.proposal import Proposal

EPSILON = 1e-9
EPSILON_S = 1e-6
"""Seconds since the epoch, subtracted from each other, are off by up to 0.2 us."""


@dataclass(frozen=True, slots=True)
class RayTarget:
    """The target count, and since when another one has been wanted without a break."""

    nodes: int
    up_since_s: float | None = None
    down_since_s: float | None = None

    def after(
        self,
        time_s: float,
        ongoing: float,
        ongoing_per_node: float = 2.0,
        upscale_delay_s: float = 30.0,
        downscale_delay_s: float = 600.0,
        running: int | None = None,
    ) -> RayTarget:
        """The next target. Compares with the target, not with the `running` nodes (None: as many).

        Where none runs, load asks for one at once, and nothing is measured that could ask for more.
        """
        if running == 0 or (running is None and self.nodes == 0):
            return replace(self, nodes=max(self.nodes, 1 if ongoing > 0.0 else 0))
        wanted = math.ceil(ongoing / ongoing_per_node - EPSILON)
        if wanted > self.nodes:
            since_s = time_s if self.up_since_s is None else self.up_since_s
            due = time_s - since_s >= upscale_delay_s - EPSILON_S
            return RayTarget(wanted) if due else RayTarget(self.nodes, up_since_s=since_s)
        if wanted < self.nodes:
            since_s = time_s if self.down_since_s is None else self.down_since_s
            due = time_s - since_s >= downscale_delay_s - EPSILON_S
            lowest = 0 if self.nodes == 1 else 1
            if due:
                return RayTarget(max(lowest, wanted))
            return RayTarget(self.nodes, down_since_s=since_s)
        return RayTarget(self.nodes)


@dataclass(frozen=True, slots=True)
class RayServe(LoadBaseline):
    """Scales on the mean load of 30 s; a node is to have `target_share` of `streams_per_node`."""

    target_share: Share = 0.7
    streams_per_node: Streams = 100.0
    look_back_s: Seconds = 30.0

    name: ClassVar[str] = "ray_serve"
    SWEEP: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType({"target_share": SHARES})

    def follow(
        self, reading: NodeReading, load: float, saved: dict[str, State]
    ) -> tuple[Proposal, State]:
        """The count that the mean load has asked for long enough."""
        loads = window(saved.get("loads"), reading.time_s, self.look_back_s)
        loads.append([reading.time_s, load])
        mean = sum(each for _, each in loads) / len(loads)
        nodes = int(number(saved.get("target"), reading.wanted))
        before = RayTarget(nodes, *map(_time, (saved.get("up"), saved.get("down"))))
        per_node = self.target_share * self.streams_per_node
        target = before.after(reading.time_s, mean, per_node, running=reading.ready)
        why = f"{mean:.0f} streams on average, {per_node:.0f} are wanted on a node"
        remembers: State = {
            "loads": kept(loads),
            "target": reading.clamped(target.nodes),
            "up": target.up_since_s,
            "down": target.down_since_s,
        }
        return propose(reading, reading.clamped(target.nodes), why), remembers


def _time(value: State) -> float | None:
    return float(value) if isinstance(value, int | float) else None
