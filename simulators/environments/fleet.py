"""Many plants in lock step: the interval level, of which everything is looked up in tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from policies.features import LOOK_BACK_STEPS, Floats, Integers, Sight
from policies.latency import Calibration
from simulators.levels.capacity import BATCH_SIZE
from simulators.levels.closed_form import IntervalLevel, quiet_work
from simulators.levels.level import SATURATED
from simulators.loads.load_path import Load
from simulators.plant.knobs import BATCH_SIZES

NEARLY_FULL = 0.85
"""Share of the streams at which a node computes all the time: above, tables are interpolated."""
STEPS = 64
"""Steps into which those streams are then divided."""
DEFAULT_BATCH = BATCH_SIZES.index(BATCH_SIZE)
"""Place of the batch size to begin with among those that there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Miss rate, utilisation and p99 (periods) by batch size (row) and a node's streams."""

    miss_rate: Floats
    utilisation: Floats
    latency_p99_periods: Floats

    @classmethod
    def of(cls, calibration: Calibration) -> Tables:
        """All that a node can be asked, worked out once."""
        level = IntervalLevel(calibration)
        rows = []
        for size in BATCH_SIZES:
            knots = dict(_laws(level, size, calibration.stable_streams(size)))
            rows.append((list(knots), np.array(list(knots.values()))))
        streams = np.arange(max(knots[-1] for knots, _ in rows) + 1)
        figures = [
            np.array([np.interp(streams, knots, values[:, k]) for knots, values in rows])
            for k in range(3)
        ]
        return cls(figures[0], figures[1], figures[2] / calibration.period_ms)


def _laws(
    level: IntervalLevel, batch_size: int, stable_streams: float
) -> Iterator[tuple[int, tuple[float, float, float]]]:
    """Figures of 0, 1, 2, ... streams, until a node misses nearly everything.

    Near saturation and beyond, where each is laborious, in larger steps; never over one more
    batch, which is no smooth step.
    """
    streams = 0
    leap = max(1, int(stable_streams / STEPS))
    while True:
        law = level.law(quiet_work(streams, batch_size))
        yield streams, (law.miss_rate, law.utilisation, law.p99_ms)
        if law.miss_rate > SATURATED:
            return
        step = 1 if streams < NEARLY_FULL * stable_streams else leap
        to_a_full_batch = -streams % batch_size or 1
        streams += min(step, to_a_full_batch)


@dataclass(slots=True, eq=False)
class Fleet:
    """The state of `count` plants, each on a path of its own within `loads`.

    `at` is where on it a plant is, `begun` where it began. A node that is let go is paid for
    one more interval, and `pending[k, s]` nodes of plant k are ready at the step that leaves
    the remainder s. `figures` holds miss rate, utilisation and p99 (periods) of each plant.
    """

    count: int
    loads: Integers
    tables: Tables
    start_steps: int
    periods: float
    nodes_max: Integers
    paid: Integers = field(init=False)
    at: Integers = field(init=False)
    begun: Integers = field(init=False)
    step: int = 0
    ready: Integers = field(init=False)
    batch: Integers = field(init=False)
    pending: Integers = field(init=False)
    draining: Integers = field(init=False)
    streams: Integers = field(init=False)
    figures: Floats = field(init=False)

    def __post_init__(self) -> None:
        for name in ("paid", "at", "begun", "ready", "batch", "draining", "streams"):
            setattr(self, name, np.zeros(self.count, np.int64))
        self.pending = np.zeros((self.count, self.start_steps + 1), np.int64)
        self.figures = np.zeros((self.count, 3))

    @property
    def wanted(self) -> Integers:
        """Nodes asked for."""
        return np.asarray(self.ready + self.pending.sum(axis=1))

    def reset(self, plants: NDArray[np.bool_], at: Integers, nodes: Integers) -> None:
        """Begin anew where `plants` is True, with so many nodes that serve."""
        self.at[plants] = self.begun[plants] = at[plants]
        self.ready[plants], self.batch[plants] = nodes[plants], DEFAULT_BATCH
        self.pending[plants] = 0
        self.paid[plants] = nodes[plants]
        self._serve(plants)

    def advance(self, nodes: Integers, batch: Integers) -> None:
        """Ask for so many nodes and that batch size, then serve one interval."""
        self.step += 1
        self.batch[:] = batch
        _ask(nodes, self.ready, self.pending, self.draining, self.step, self.start_steps)
        self.paid = self.wanted + self.draining
        self.at += 1
        self._serve(np.ones(self.count, np.bool_))

    def _serve(self, plants: NDArray[np.bool_]) -> None:
        _serve(
            plants, self.loads, self.at, self.ready, self.batch, self.tables.miss_rate,
            self.tables.utilisation, self.tables.latency_p99_periods, self.streams, self.figures,
        )  # fmt: skip

    def sight(self) -> Sight:
        """The sight of an agent on every plant."""
        back = [np.maximum(self.at - steps, self.begun) for steps in (0, *LOOK_BACK_STEPS)]
        return Sight(
            loads=np.column_stack([self.loads[each] for each in back]).astype(np.float64),
            utilisation=self.figures[:, 1],
            miss_rate=self.figures[:, 0],
            latency_p99_periods=self.figures[:, 2],
            ready=self.ready,
            starting=self.pending.sum(axis=1),
            nodes_max=self.nodes_max,
            batch_place=self.batch / (len(BATCH_SIZES) - 1),
        )


def joined(loads: Sequence[Load]) -> tuple[Integers, list[tuple[int, int]]]:
    """All paths one after the other, and where each begins and ends."""
    ends = np.cumsum([load.streams.size for load in loads])
    spans = [
        (int(end) - load.streams.size, int(end)) for end, load in zip(ends, loads, strict=True)
    ]
    return np.concatenate([load.streams for load in loads]), spans


@njit(cache=True)
def _ask(nodes, ready, pending, draining, step, start_steps):  # type: ignore[no-untyped-def]
    """Let serve what has started, then start or let go, those that start last first."""
    slots = start_steps + 1
    for plant in range(nodes.size):
        ready[plant] += pending[plant, step % slots]
        pending[plant, step % slots] = 0
        wanted = ready[plant] + pending[plant].sum()
        more = nodes[plant] - wanted
        draining[plant] = 0
        if more > 0:
            if start_steps:
                pending[plant, (step + start_steps) % slots] += more
            else:
                ready[plant] += more
        else:
            surplus = -more
            for back in range(start_steps):
                slot = (step + start_steps - back) % slots
                gone = min(surplus, pending[plant, slot])
                pending[plant, slot] -= gone
                surplus -= gone
            ready[plant] -= surplus
            draining[plant] = surplus


@njit(cache=True)
def _serve(  # type: ignore[no-untyped-def]
    plants, loads, at, ready, batch, miss_rate, utilisation, p99, streams, figures
):
    """Spread the streams evenly and look the nodes' laws up: miss rate, utilisation, p99."""
    most = miss_rate.shape[1] - 1
    for plant in range(at.size):
        if not plants[plant]:
            continue
        load, nodes, size = loads[at[plant]], ready[plant], batch[plant]
        streams[plant] = load
        if nodes == 0 or load == 0:
            figures[plant, 0] = 1.0 if load else 0.0
            figures[plant, 1] = figures[plant, 2] = 0.0
            continue
        each = load // nodes
        more = load - each * nodes
        low, high = min(each, most), min(each + 1, most)
        missed = more * (each + 1) * miss_rate[size, high]
        missed += (nodes - more) * each * miss_rate[size, low]
        figures[plant, 0] = missed / load
        busy = more * utilisation[size, high] + (nodes - more) * utilisation[size, low]
        figures[plant, 1] = busy / nodes
        figures[plant, 2] = p99[size, high] if more else p99[size, low]
