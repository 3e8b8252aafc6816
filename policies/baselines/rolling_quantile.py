"""Headroom from history: a quantile of how far the load rose within the lead time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, cast

from policies.baselines.baseline import LoadBaseline
from policies.baselines.node_law import (
    NodeReading,
    Pairs,
    frontier,
    kept,
    number,
    propose,
    window,
)
from policies.constants import Fraction, Seconds, Streams
from policies.policy import State
from policies.proposal import Proposal

BINS = 400
"""Rises are counted relative to the load, in steps of 1 %, up to fivefold."""
DECAY = 0.99999
"""Part of its weight that a count keeps a tick; those after it weigh more instead."""


@dataclass(frozen=True, slots=True)
class RollingQuantile(LoadBaseline):
    """n = ceil(load (1 + q) / capacity), q a quantile of the relative rise over the lead.

    `streams_per_node` is what a node carries within the objective; counts of rises are halved
    every week, so that an old regime is forgotten.
    """

    quantile: Fraction = 0.999
    hold_s: Seconds = 300.0
    lead_s: Seconds = 150.0
    streams_per_node: Streams = 85.0

    name: ClassVar[str] = "rolling_quantile"
    looks_back_s: ClassVar[float] = 259_200.0
    SWEEP: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType(
        {"quantile": (0.99, 0.999, 0.9999), "hold_s": (300.0, 900.0)}
    )

    def follow(
        self, reading: NodeReading, load: float, saved: dict[str, State]
    ) -> tuple[Proposal, State]:
        """The highest of the last counts that the load and its rise asked for."""
        now_s = reading.time_s
        recent = window(saved.get("loads"), now_s, self.lead_s + 60.0)
        rises, weight = _counts(saved.get("rises")), number(saved.get("weight"), 1.0) / DECAY
        for _, before in _taken(recent, now_s - self.lead_s):
            rise = max(0.0, (load - before) / max(before, 1.0))
            bin_ = str(min(math.ceil(100.0 * rise), BINS - 1))
            rises[bin_] = rises.get(bin_, 0.0) + weight
        recent.append([now_s, load])
        headroom = _quantile(rises, self.quantile)
        wanted = reading.clamped(load * (1.0 + headroom) / self.streams_per_node)
        held = frontier(saved.get("held"), now_s, self.hold_s, float(wanted))
        why = f"{load:.0f} streams, which may rise by {headroom:.0%} within {self.lead_s:.0f} s"
        nodes = int(held[0][1])
        remembers: State = {
            "loads": kept(recent),
            "held": kept(held),
            "rises": cast(State, rises),
            "weight": weight,
        }
        return propose(reading, nodes, why), remembers


def _taken(pairs: Pairs, until_s: float) -> Pairs:
    """The pairs up to a time, which are taken out."""
    count = sum(1 for time_s, _ in pairs if time_s <= until_s)
    taken, pairs[:count] = pairs[:count], []
    return taken


def _counts(state: State) -> dict[str, float]:
    return cast(dict[str, float], dict(state)) if isinstance(state, dict) else {}


def _quantile(rises: Mapping[str, float], quantile: float) -> float:
    """The relative rise that so large a share of the past ones did not exceed."""
    left = (1.0 - quantile) * sum(rises.values())
    for bin_ in sorted(rises, key=int, reverse=True):
        left -= rises[bin_]
        if left < 0.0:
            return int(bin_) / 100.0
    return 0.0
