"""The contract of a level of detail: the work of a node, its state, the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from policies.knobs import SchedulingClass
from policies.latency import STAGES

LevelName = Literal["interval", "batch", "block"]
"""Levels of detail, from the closed form to every block of every stream."""
SATURATED = 0.99
"""Miss rate above which a node is taken to miss all: fuller nodes are worked out no further."""


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a node in each period of an interval; many nodes may have the same.

    `slowdown` multiplies compute times and `link_factor` those of the link. `nodes` is how
    many share the way to the output.
    """

    streams: int
    batch_size: int
    vram_block_bytes: int = 1 << 17
    scheduling: SchedulingClass = SchedulingClass.NORMAL
    contended: bool = False
    slowdown: float = 1.0
    link_factor: float = 1.0
    nodes: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class NodeState:
    """The backlog that a node carries from one interval into the next.

    `carry_ms` of shape (stages,) is how long each stage is still busy when `period` begins;
    `node` is the number by which its draws are told from those of others.
    """

    carry_ms: NDArray[np.float64]
    period: int
    node: int = 0

    @classmethod
    def idle(cls, period: int, node: int = 0) -> NodeState:
        """A node without a backlog."""
        return cls(np.zeros(len(STAGES)), period, node)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The blocks of an interval on one node, and how they fared.

    `histogram` counts latencies in the bins of `exact.BIN_EDGES_MS`; `stage_ms` is the mean
    service time of a block by stage; `utilisation` the share of the time computed.
    """

    blocks: int
    missed: int
    histogram: NDArray[np.int64]
    stage_ms: NDArray[np.float64]
    utilisation: float


class Level(Protocol):
    """Moves one node through some periods, at its level of detail."""

    def advance(
        self, state: NodeState, work: Work, periods: int, seed: int
    ) -> tuple[NodeState, Outcome]:
        """The node after so many periods; equal arguments give equal results."""
        ...
