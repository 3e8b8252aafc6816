"""The cheapest nodes for one who knows the load: the measure of every policy's regret."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from policies.latency import Calibration
from simulators.levels.capacity import node_capacity, node_miss_rates
from simulators.loads.load_path import HOUR_S, Load

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
BISECTIONS = 40
"""Halvings of the multiplier at the most."""


@dataclass(frozen=True, slots=True, eq=False)
class OraclePlan:
    """The nodes that serve in each step, their cost, and the share of blocks they miss."""

    nodes: Integers
    node_hours: float
    miss_rate: float


@dataclass(frozen=True, slots=True, eq=False)
class Horizon:
    """The load that is known, and what a node misses of it.

    `streams` and `scored` have shape (steps,); steps that are not scored cost nothing and miss
    nothing. `miss_rates[s]` is the miss rate of one node with s streams; fuller ones miss all.
    """

    streams: Integers
    scored: NDArray[np.bool_]
    miss_rates: Floats
    step_s: float
    nodes_max: int

    @classmethod
    def of(
        cls, load: Load, calibration: Calibration, batch_size: int, target_miss_rate: float
    ) -> Horizon:
        """The whole of a load on nodes of this pipeline, one more than its peak needs."""
        capacity = node_capacity(calibration, batch_size, target_miss_rate)
        nodes_max = 1 + -(-max(1, int(load.streams.max())) // capacity)
        rates = node_miss_rates(calibration, batch_size)
        return cls(load.streams, load.scored, rates, load.step_s, nodes_max)


def oracle_delayed(horizon: Horizon, start_s: float, target_miss_rate: float) -> OraclePlan:
    """The cheapest plan within the miss budget where each node is paid from its request.

    Who knows the load asks for a node `start_s` before it is needed, so that a start costs
    that much more and nothing else. A dynamic programme over the node count minimises cost
    plus a multiplier times misses; the multiplier is bisected until the budget is just kept
    (Lagrangian relaxation: Everett, Operations Research 11, 1963).
    """
    misses = _misses(horizon)
    rows = _rows(horizon)
    submitted = float(horizon.streams[horizon.scored].sum())
    budget = target_miss_rate * submitted
    weights = horizon.scored.astype(np.float64)

    def plan(multiplier: float) -> tuple[Integers, float]:
        nodes = _programme(rows, misses, weights, multiplier, start_s / horizon.step_s)
        return nodes, float((misses[rows, nodes - 1] * weights).sum())

    high = 1.0
    best, missed = plan(high)
    while missed > budget and high < 1e12:
        high *= 10.0
        best, missed = plan(high)
    low = 0.0
    for _ in range(BISECTIONS):
        if not horizon.scored.any() or high - low < 1e-3 * high:
            break
        middle = 0.5 * (low + high)
        nodes, lost = plan(middle)
        if lost <= budget:
            high, best, missed = middle, nodes, lost
        else:
            low = middle
    starts = np.maximum(np.diff(best, prepend=best[:1]), 0)
    node_s: Floats = np.asarray(horizon.step_s * best + start_s * starts, np.float64)
    return _priced(best, node_s, horizon, missed, submitted)


def oracle_instant(horizon: Horizon, target_miss_rate: float) -> OraclePlan:
    """The nodes that each step needs to meet the target by itself, there at once."""
    misses = _misses(horizon)
    rows = _rows(horizon)
    allowed = target_miss_rate * np.unique(horizon.streams)
    meets = misses <= allowed[:, None] + 1e-12
    enough = np.where(meets.any(axis=1), meets.argmax(axis=1), horizon.nodes_max - 1) + 1
    nodes = enough[rows].astype(np.int64)
    missed = float(misses[rows, nodes - 1][horizon.scored].sum())
    submitted = float(horizon.streams[horizon.scored].sum())
    return _priced(
        nodes, np.asarray(horizon.step_s * nodes, np.float64), horizon, missed, submitted
    )


def _priced(
    nodes: Integers, node_s: Floats, horizon: Horizon, missed: float, submitted: float
) -> OraclePlan:
    node_hours = float(node_s[horizon.scored].sum()) / HOUR_S
    return OraclePlan(nodes, node_hours, missed / submitted if submitted else 0.0)


def _rows(horizon: Horizon) -> Integers:
    """For each step the row of its load in `_misses`."""
    return np.unique(horizon.streams, return_inverse=True)[1].astype(np.int64)


def _misses(horizon: Horizon) -> Floats:
    """Streams missed by each distinct load (row) on 1 to `nodes_max` nodes (column).

    Streams are spread as evenly as whole streams can be.
    """
    loads = np.unique(horizon.streams)[:, None]
    nodes = np.arange(1, horizon.nodes_max + 1)[None, :]
    each, more = np.divmod(loads, nodes)
    return np.asarray(
        more * (each + 1) * _rate(horizon, each + 1) + (nodes - more) * each * _rate(horizon, each)
    )


def _rate(horizon: Horizon, streams: Integers) -> Floats:
    known = horizon.miss_rates
    rates = known[np.minimum(streams, known.size - 1)]
    return np.where(streams < known.size, rates, 1.0)


@njit(cache=True)
def _programme(rows, misses, weights, multiplier, start_steps):  # type: ignore[no-untyped-def]
    """The node counts of least cost; growing by one costs `start_steps`, shrinking nothing."""
    steps, counts = rows.size, misses.shape[1]
    came_from = np.empty((steps, counts), np.int32)
    value = np.zeros(counts)
    following = np.empty(counts)
    above = np.empty(counts, np.int32)
    for step in range(steps):
        cheapest = counts - 1
        for count in range(counts - 1, -1, -1):
            if value[count] <= value[cheapest]:
                cheapest = count
            above[count] = cheapest
        below = 0
        for count in range(counts):
            if value[count] - start_steps * count <= value[below] - start_steps * below:
                below = count
            grown = value[below] + start_steps * (count - below)
            shrunk = value[above[count]]
            came_from[step, count] = below if grown < shrunk else above[count]
            stage = weights[step] * (count + 1 + multiplier * misses[rows[step], count])
            following[count] = min(grown, shrunk) + stage
        value[:] = following
    nodes = np.empty(steps, np.int64)
    count = int(np.argmin(value))
    for step in range(steps - 1, -1, -1):
        nodes[step] = count + 1
        count = came_from[step, count]
    return nodes
