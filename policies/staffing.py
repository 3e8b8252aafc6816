"""How many nodes are cheapest, their misses included: the newsvendor's choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.headroom import Peaks

MOST_AT_ONCE = 4096
"""Node counts that are weighed in one decision."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class NodeLaw:
    """What a node misses by its streams, from 0 on; fuller ones miss all.

    `streams_factor` corrects the model: a node behaves as if it had that many times its
    streams, as the utilisation measured says.
    """

    miss_rates: Floats
    streams_factor: float = 1.0

    def capacity(self, target_miss_rate: float) -> int:
        """The most streams a node carries within the target, at least one."""
        within = int(np.searchsorted(self.miss_rates, target_miss_rate, side="right")) - 1
        return max(1, int(within / self.streams_factor))

    def miss_rate(self, streams: Floats | float, nodes: NDArray[np.int64] | int) -> Floats:
        """Share of the blocks that nodes miss who share these streams evenly."""
        each = self.streams_factor * np.asarray(streams) / nodes
        known = np.arange(self.miss_rates.size)
        return np.asarray(np.interp(each, known, self.miss_rates, right=1.0))


@dataclass(frozen=True, slots=True)
class Staffing:
    """The cheapest node count; its cost, misses included, in nodes; the miss rate expected."""

    nodes: int
    cost: float
    miss_rate: float


def cheapest(law: NodeLaw, peaks: Peaks, price: float, low: int, high: int) -> Staffing:
    """Weigh the cost of each node against the misses that it saves (the newsvendor problem:
    Arrow, Harris and Marschak, Econometrica 19, 1951).

    `price` is what a stream that is missed costs for as long as it is, in nodes.
    """
    nodes = _candidates(law, peaks, low, high)
    missed = law.miss_rate(peaks.loads, nodes[:, None]) * peaks.loads @ peaks.probabilities
    cost = nodes + price * missed
    best = int(np.argmin(cost))
    expected = float(peaks.loads @ peaks.probabilities)
    rate = float(missed[best]) / expected if expected > 0.0 else 0.0
    return Staffing(int(nodes[best]), float(cost[best]), rate)


def _candidates(law: NodeLaw, peaks: Peaks, low: int, high: int) -> NDArray[np.int64]:
    """From what would carry the least peak to what carries the highest, within the bounds."""
    hardly = law.miss_rates.size / law.streams_factor
    fewest = int(peaks.loads.min() / hardly)
    most = int(peaks.loads.max() / law.capacity(1e-6)) + 1
    first = min(max(low, fewest), high)
    last = max(first, min(high, most, first + MOST_AT_ONCE))
    return np.arange(first, last + 1)
