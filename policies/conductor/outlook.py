"""What is expected of the time in which it could not get another node."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from policies.conductor.estimates import Estimates
from policies.conductor.nodes import NodeLaw, Staffing, cheapest, staffed
from policies.conductor.peaks import Peaks
from policies.conductor.situation import Situation
from policies.forecast import Forecast
from policies.knobs import Bounds, Settings
from policies.latency import LatencyModel
from policies.observation import fresh

TAIL = 0.99
TAIL_MISSES = 100.0
"""What carries a peak that comes one time in a hundred may miss a hundred times the target."""
UNEXPLAINED = 3.0
"""Times the misses that the model expects, beyond which they have another cause than the load."""
SMOOTHING = 0.1
"""Weight of one more measurement of how a node compares with its model."""
FACTOR_RANGE = (0.25, 4.0)
LEAST_BUSY = 0.05
"""Below this part of its time a node says little about its streams."""


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """The load, how high it may rise in the lead window, and what a miss costs, in nodes.

    `law` says what a node misses as the knobs stand, `latency` what it would with others; None
    where no model knows those in force. Where a forecast is wanted, nothing shrinks
    without one.
    """

    load: float
    peaks: Peaks
    price: float
    law: NodeLaw
    target_miss_rate: float
    latency: LatencyModel | None
    lacks_forecast: bool = False

    @property
    def on_the_way(self) -> Peaks:
        """The load until another node could serve: what it is now, and what it comes to."""
        return Peaks(np.array([self.load, self.peaks.quantile(0.5)]), np.array([0.5, 0.5]))

    def law_with(self, settings: Settings) -> NodeLaw | None:
        """What a node would miss with other settings; None where no model says."""
        miss_rates = None if self.latency is None else self.latency.miss_rates(settings)
        return None if miss_rates is None else NodeLaw(miss_rates, self.law.streams_factor)

    def summary(self, load_unit: str) -> str:
        """What is expected, for people to read."""
        median, high = self.peaks.quantile(0.5), self.peaks.quantile(TAIL)
        return (
            f"{self.load:.0f} {load_unit} now, {self.peaks.expected_by} a "
            f"peak of {median:.0f} until another node could serve, {high:.0f} one time in a hundred"
        )

    def explains(self, missed: float, nodes: int) -> bool:
        """Whether about that much is missed of what the load makes of so many nodes."""
        expected = float(self.law.miss_rate(self.load, nodes))
        return missed <= max(self.target_miss_rate, UNEXPLAINED * expected)

    def staffed(self, nodes: int) -> Staffing:
        """What so many nodes would cost as the knobs stand."""
        return staffed(self.law, self.peaks, self.price, nodes)

    def needed(self, law: NodeLaw, bounds: Bounds) -> Staffing:
        """The cheapest nodes that carry all but the highest peaks.

        That is also what a dynamic programme over later windows would choose, since a start is
        paid for as long as it takes: a node that is needed again within the lead window stays,
        and one that is needed later is cheaper let go and asked for again.
        """
        staffing = cheapest(law, self.peaks, self.price, bounds.low, bounds.high)
        carried = law.capacity(min(0.5, TAIL_MISSES * self.target_miss_rate))
        fewest = min(bounds.high, math.ceil(self.peaks.quantile(TAIL) / carried))
        if staffing.nodes >= fewest:
            return staffing
        return staffed(law, self.peaks, self.price, fewest)


def look_out(
    situation: Situation,
    forecast: Forecast | None,
    estimates: Estimates,
    streams_factor: float,
    *,
    predictive: bool,
) -> Outlook | None:
    """What may come of the load, and what a node makes of it.

    None where the load is not known, or nothing is known of what a node carries: neither a model,
    which `streams_factor` corrects, nor what was learned of its capacity.
    """
    load, law, most_streams = situation.load, situation.law, estimates.capacity.most_streams()
    if law is not None:
        law = replace(law, streams_factor=streams_factor)
    elif most_streams is not None:
        law = NodeLaw.unmeasured(most_streams)
    if load is None or law is None:
        return None
    forecast_used = forecast if predictive else None
    peaks = estimates.headroom.expect(forecast_used, load, situation.nodes.lead_s)
    target = situation.objective.target_miss_rate
    miss_costs = estimates.price.ask(target, law.capacity(target))
    latency = None if situation.law is None else situation.latency
    blind = predictive and forecast is None
    return Outlook(load, peaks, miss_costs, law, target, latency, lacks_forecast=blind)


def corrected(factor: float, situation: Situation) -> float:
    """How many times its streams a node behaves as if it had, by the utilisation measured."""
    load, latency = situation.load, situation.latency
    busy, nodes = _busy_nodes(situation)
    if latency is None or busy is None or not nodes or load is None:
        return factor
    expected = latency.utilisation(load / nodes, situation.settings)
    if expected is None or not LEAST_BUSY < min(busy, expected) <= max(busy, expected) < 1.0:
        return factor
    low, high = FACTOR_RANGE
    measured = min(max(busy / expected, low), high)
    return factor + SMOOTHING * (measured - factor)


def _busy_nodes(situation: Situation) -> tuple[float | None, float | None]:
    """How busy the nodes are on average, and how many serve; where no node says, the sound's."""
    busy = fresh(situation.observation.get("nodes.utilisation"))
    if busy is not None:
        return busy, fresh(situation.observation.get("nodes.ready"))
    nodes = situation.settings.get("nodes")
    return situation.utilisation, nodes if isinstance(nodes, int) else None
