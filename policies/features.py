"""Features that a learning agent sees, and its choices, whatever the plant's size.

One and the same in the training environment and in the policy that acts with what was learned.
Everything is in shares, so that what was learned on 10 nodes is worth something on 100.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LOOK_BACK_STEPS = (1, 4, 20)
"""How many control intervals ago the load is compared with."""
LOWEST_RATE = 1e-6
NODE_SHARES = (-0.25, -0.1, 0.0, 0.1, 0.25, 1.0)
"""Choices for the nodes: change by this share of those wanted, at least by one."""
BATCH_MOVES = (-1, 0, 1)
"""Choices for the batch: the next smaller size, the same, the next larger."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A number that the agent sees, and its bounds."""

    name: str
    low: float
    high: float


FEATURES = (
    Feature("utilisation", 0.0, 1.0),
    Feature("miss_rate", 0.0, 1.0),
    Feature("miss_rate_decades", 0.0, 1.0),  # 0 for 1e-6 and less, 1 for everything
    Feature("latency_p99_periods", 0.0, 4.0),
    Feature("load_change_1", -1.0, 4.0),
    Feature("load_change_4", -1.0, 4.0),
    Feature("load_change_20", -1.0, 4.0),
    Feature("nodes_ready_share", 0.0, 1.0),  # of the most that are allowed
    Feature("nodes_starting_share", 0.0, 4.0),  # of those that are ready
    Feature("batch_size_place", 0.0, 1.0),  # from the smallest to the largest
)
LOWS = np.array([each.low for each in FEATURES], np.float32)
HIGHS = np.array([each.high for each in FEATURES], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """Figures of which features are made; all of shape (plants,), but `loads` (plants, 4).

    `loads` holds the load now and at each of `LOOK_BACK_STEPS`; `nodes_max` the most allowed,
    `batch_place` from 0 to 1.
    """

    loads: Floats
    utilisation: Floats
    miss_rate: Floats
    latency_p99_periods: Floats
    ready: Integers
    starting: Integers
    nodes_max: Integers
    batch_place: Floats

    def features(self) -> NDArray[np.float32]:
        """Shape (plants, len(FEATURES)), within the bounds of each."""
        now, before = self.loads[:, :1], self.loads[:, 1:]
        changes = (now - before) / np.maximum(before, 1.0)
        decades = 1.0 + np.log10(np.maximum(self.miss_rate, LOWEST_RATE)) / -np.log10(LOWEST_RATE)
        columns = np.column_stack(
            (
                self.utilisation,
                self.miss_rate,
                decades,
                self.latency_p99_periods,
                changes,
                self.ready / self.nodes_max,
                self.starting / np.maximum(self.ready, 1),
                self.batch_place,
            )
        )
        return np.asarray(np.clip(columns, LOWS, HIGHS), np.float32)


def nodes_after(wanted: Integers, choices: Integers, nodes_max: Integers | int) -> Integers:
    """Nodes to ask for, of shape (plants,): a choice of `NODE_SHARES` each, at least one node."""
    shares = np.asarray(NODE_SHARES)[choices]
    change = np.sign(shares) * np.maximum(1.0, np.ceil(np.abs(shares) * wanted))
    change = np.where(shares == 0.0, 0.0, change)
    return np.clip(wanted + change, 1, nodes_max).astype(np.int64)
