"""The task of an agent: which loads, for how long, and what is rewarded."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from controller.load.trace import LoadTrace
from policies.features import BATCH_MOVES, FEATURES, HIGHS, LOWS, NODE_SHARES
from policies.latency import Calibration
from simulators.environments.fleet import Tables
from simulators.levels.capacity import BATCH_SIZE, node_capacity
from simulators.loads.generators import generate
from simulators.loads.load_path import Load, realise
from simulators.loads.splits import Split, split

OBSERVATIONS = tuple(each.name for each in FEATURES)
ACTIONS = ("nodes", "batch_size")
CHOICES = (len(NODE_SHARES), len(BATCH_MOVES))
DAYS = 14.0


@dataclass(frozen=True, slots=True)
class Reward:
    """reward = -(`node` nodes/needed + `miss` miss_rate/target + `switching` |change|/needed).

    `needed` is what the load asks for at once, so that 1 a step is what must be paid, and
    the miss rate counts up to `miss_most` times its target. Part of the environment's version:
    other weights are another environment.
    """

    node: float = 1.0
    miss: float = 0.5
    miss_most: float = 100.0
    switching: float = 0.02


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """A family of episodes: `episode_steps` control intervals from a random place of a load.

    `traces` are taken at `part` of their length, each realised `paths` times; without any,
    the generators `diurnal`, `burst` and `steps` stand in.
    """

    traces: tuple[LoadTrace, ...] = ()
    part: Split | None = "train"
    peak_streams: int = 1000
    paths: int = 2
    interval_s: float = 15.0
    episode_steps: int = 960
    node_start_s: float = 120.0
    target_miss_rate: float = 0.001
    calibration: Calibration = field(default_factory=Calibration)
    reward: Reward = Reward()

    @property
    def start_steps(self) -> int:
        """Control intervals from a node's request until it serves."""
        return int(np.ceil(self.node_start_s / self.interval_s - 1e-9))

    @property
    def node_capacity(self) -> int:
        """Streams that a node carries within the target, at the batch size to begin with."""
        return node_capacity(self.calibration, BATCH_SIZE, self.target_miss_rate)

    def loads(self) -> list[Load]:
        """The paths on which episodes take place. Raises TraceError for too short a trace."""
        traces = self.traces or tuple(
            generate(each, DAYS) for each in ("diurnal", "burst", "steps")
        )
        parts = [trace if self.part is None else split(trace, self.part) for trace in traces]
        return [
            realise(part, self.interval_s, seed, peak_streams=self.peak_streams)
            for part in parts
            for seed in range(1, self.paths + 1)
        ]


@lru_cache(maxsize=8)
def tables(calibration: Calibration) -> Tables:
    """The laws of a pipeline's nodes, worked out once."""
    return Tables.of(calibration)


__all__ = [
    "ACTIONS",
    "CHOICES",
    "HIGHS",
    "LOWS",
    "OBSERVATIONS",
    "Reward",
    "TrainingTask",
    "tables",
]
