"""How many nodes a load needs: as many as are cheapest, their misses included."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.conductor.peaks import Peaks
from policies.knobs import Bounds
from policies.proposal import Effect, Expectation

RESERVE_SHARE = 0.15
"""Part of its time that a node is left free where no model says what it can carry."""
MOST_AT_ONCE = 4096
"""Node counts that are weighed in one decision."""
TAIL = 0.99
"""Quantile of the peak that nodes carry even where fewer would be cheaper."""
TAIL_MISSES = 100.0
"""Times the target that may be missed at such a peak, since it comes one time in a hundred."""
EASE = 1e-6
"""Miss rate up to which a node carries its streams with ease."""
MOST_STREAMS = 100_000.0
"""Streams beyond which no node is believed to carry more."""
OVERLOADED_BY = 2.35
"""Times what a node can carry up to which an unmeasured law is spelled out."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class NodeLaw:
    """Miss rates of a node by its streams, from 0 on; fuller ones miss all.

    `streams_factor` corrects the model: a node behaves as if it had that many times its
    streams, as the utilisation that was measured says.
    """

    miss_rates: Floats
    streams_factor: float = 1.0

    @classmethod
    def unmeasured(cls, most_streams: float) -> NodeLaw:
        """The law of a node known to carry so many streams, of which no more is known.

        What finds no room is missed: a fluid bound.
        """
        carried = min(most_streams, MOST_STREAMS)
        streams = np.arange(math.ceil(OVERLOADED_BY * carried) + 2, dtype=np.float64)
        return cls(np.maximum(0.0, 1.0 - carried / np.maximum(streams, 1e-12)))

    def capacity(self, miss_rate: float) -> int:
        """The most streams with which a node misses no more than that, at least one."""
        within = int(np.searchsorted(self.miss_rates, miss_rate, side="right")) - 1
        return max(1, int(within / self.streams_factor))

    def miss_rate(self, streams: Floats | float, nodes: NDArray[np.int64] | int) -> Floats:
        """Share of the blocks missed where nodes share these streams evenly."""
        each = self.streams_factor * np.asarray(streams) / nodes
        known = np.arange(self.miss_rates.size)
        return np.asarray(np.interp(each, known, self.miss_rates, right=1.0))

    def effect(
        self,
        before: int,
        after: int,
        highest_load: float,
        missed: float,
        changed_law: NodeLaw | None = None,
    ) -> Effect:
        """The miss rate with and without the change, at loads up to twice the highest.

        `changed_law` is that of other settings, where it is they that change. Without the
        change at least what is `missed` now goes on being missed, whatever its cause.
        """
        loads: Floats = highest_load * np.arange(9, dtype=np.float64) / 4.0
        changed = (changed_law or self).miss_rate(loads, after)
        unchanged = np.maximum(missed, self.miss_rate(loads, before))
        points = zip(loads.tolist(), changed.tolist(), unchanged.tolist(), strict=True)
        return Effect("miss_rate", "of the blocks", tuple(Expectation(*each) for each in points))


@dataclass(frozen=True, slots=True)
class Staffing:
    """A node count, what it costs in nodes, misses included, and the miss rate it expects."""

    nodes: int
    cost: float
    miss_rate: float


def cheapest(law: NodeLaw, peaks: Peaks, price: float, low: int, high: int) -> Staffing:
    """Weigh the cost of each node against the misses that it saves (the newsvendor's problem:
    Arrow, Harris and Marschak, Econometrica 19, 1951).

    `price` is what a missed stream costs for as long as it is missed, in nodes.
    """
    return _cheapest_of(_candidates(law, peaks, low, high), law, peaks, price)


def staffed(law: NodeLaw, peaks: Peaks, price: float, nodes: int) -> Staffing:
    """The cost of so many nodes."""
    return _cheapest_of(np.array([nodes]), law, peaks, price)


def needed(
    law: NodeLaw, peaks: Peaks, price: float, target_miss_rate: float, bounds: Bounds
) -> Staffing:
    """The cheapest nodes that carry all but the highest peaks.

    That is also what a dynamic programme over later windows would choose, since a start is
    paid for as long as it takes: a node that is needed again within the lead window stays,
    and one that is needed later is cheaper let go and asked for again.
    """
    staffing = cheapest(law, peaks, price, bounds.low, bounds.high)
    carried = law.capacity(min(0.5, TAIL_MISSES * target_miss_rate))
    fewest = min(bounds.high, math.ceil(peaks.quantile(TAIL) / carried))
    return staffing if staffing.nodes >= fewest else staffed(law, peaks, price, fewest)


def _cheapest_of(nodes: NDArray[np.int64], law: NodeLaw, peaks: Peaks, price: float) -> Staffing:
    missed = law.miss_rate(peaks.loads, nodes[:, None]) * peaks.loads @ peaks.probabilities
    cost = nodes + price * missed
    best = int(np.argmin(cost))
    expected = float(peaks.loads @ peaks.probabilities)
    rate = float(missed[best]) / expected if expected > 0.0 else 0.0
    return Staffing(int(nodes[best]), float(cost[best]), rate)


def _candidates(law: NodeLaw, peaks: Peaks, low: int, high: int) -> NDArray[np.int64]:
    """Numbers of nodes, from what hardly carries the least peak to ease at the highest."""
    hardly = law.miss_rates.size / law.streams_factor
    first = min(max(low, int(peaks.loads.min() / hardly)), high)
    with_ease = int(peaks.loads.max() / law.capacity(EASE)) + 1
    last = max(first, min(high, with_ease, first + MOST_AT_ONCE))
    return np.arange(first, last + 1)
