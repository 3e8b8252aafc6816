"""Adaptive scaling of dask.distributed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from policies.baselines.baseline import LoadBaseline
from policies.baselines.node_law import NodeReading, number, propose
from policies.constants import Count, Streams
from policies.policy import State
from policies.proposal import Proposal

MEMORY_FULL = 0.6


def target(
    occupancy_s: float,
    target_duration_s: float = 5.0,
    memory_share: float = 0.0,
    workers: int = 0,
    ready_tasks: float = math.inf,
    threads: int = 1,
) -> int:
    """Workers that finish the work at hand within the target; twice as many when memory is full.

    `occupancy_s` is the time that all known tasks would take on one thread.
    """
    processors = min(math.ceil(occupancy_s / target_duration_s - 1e-9), ready_tasks)
    doubled = 2 * workers if memory_share > MEMORY_FULL else 0
    return max(math.ceil(processors / threads - 1e-9), doubled)


def nominated(
    wanted: int, workers: int, lately: Sequence[int] = (), wait: int = 3
) -> tuple[int, tuple[int, ...]]:
    """Workers to have, and the counts wanted since fewer are: up at once, down patiently.

    A worker goes once it was too many in each of `wait` ticks in a row, so that as many stay
    as were wanted in any of them.
    """
    if wanted >= workers:
        return wanted, ()
    lately = (*lately, wanted)[-wait:]
    return (max(lately) if len(lately) == wait else workers), lately


@dataclass(frozen=True, slots=True)
class Dask(LoadBaseline):
    """Occupancy is what the load keeps busy: `streams_per_node` streams are one target's worth."""

    streams_per_node: Streams = 85.0
    wait: Count = 3.0

    name: ClassVar[str] = "dask"
    SWEEP: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType(
        {"streams_per_node": (20.0, 40.0, 60.0, 75.0, 85.0), "wait": (3.0,)}
    )

    def follow(
        self, reading: NodeReading, load: float, saved: dict[str, State]
    ) -> tuple[Proposal, State]:
        """The count nominated by the occupancy, now and lately."""
        duration_s = 5.0
        wanted = target(load / self.streams_per_node * duration_s, duration_s)
        lately = [int(number(each, 0.0)) for each in _list(saved.get("lately"))]
        before = int(number(saved.get("target"), reading.wanted))
        nodes, kept = nominated(reading.clamped(wanted), before, lately, int(self.wait))
        why = f"{load:.0f} streams occupy {wanted} nodes"
        return propose(reading, nodes, why), {"lately": list(kept), "target": nodes}


def _list(state: State) -> list[State]:
    return state if isinstance(state, list) else []
