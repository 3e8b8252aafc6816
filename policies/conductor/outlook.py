"""What a policy expects of the time in which it could not get another node."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from policies.conductor.headroom import Headroom
from policies.conductor.nodes import NodeLaw, Staffing, cheapest, staffed
from policies.conductor.peaks import Peaks
from policies.conductor.price import MissPrice
from policies.knobs import Bounds, Settings
from policies.latency import LatencyModel
from policies.observation import fresh
from policies.policy import Context

TAIL = 0.99
TAIL_MISSES = 100.0
"""What carries a peak that comes one time in a hundred may miss a hundred times the target."""
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
    forecast_wanted: bool = True

    @property
    def on_the_way(self) -> Peaks:
        """The load until another node could serve: what it is now, and what it comes to."""
        return Peaks(np.array([self.load, self.peaks.quantile(0.5)]), np.array([0.5, 0.5]))

    def law_with(self, settings: Settings) -> NodeLaw | None:
        """What a node would miss with other settings; None where no model says."""
        miss_rates = None if self.latency is None else self.latency.miss_rates(settings)
        return None if miss_rates is None else NodeLaw(miss_rates, self.law.streams_factor)

    def needed(self, law: NodeLaw, low: int, high: int) -> Staffing:
        """The cheapest nodes that carry all but the highest peaks.

        That is also what a dynamic programme over later windows would choose, since a start is
        paid for as long as it takes: a node that is needed again within the lead window stays,
        and one that is needed later is cheaper let go and asked for again.
        """
        staffing = cheapest(law, self.peaks, self.price, low, high)
        carried = law.capacity(min(0.5, TAIL_MISSES * self.target_miss_rate))
        fewest = min(high, math.ceil(self.peaks.quantile(TAIL) / carried))
        if staffing.nodes >= fewest:
            return staffing
        return staffed(law, self.peaks, self.price, fewest)


def look_out(
    context: Context,
    headroom: Headroom,
    price: MissPrice,
    most_streams: float | None,
    streams_factor: float,
    *,
    predictive: bool,
) -> Outlook | None:
    """None where the load is not known, or nothing is known of what a node carries."""
    load = fresh(context.observation.load)
    modelled = _modelled(context, streams_factor)
    law = modelled
    if law is None and most_streams is not None:
        law = NodeLaw.unmeasured(most_streams)
    if load is None or law is None:
        return None
    latency = None if modelled is None else context.latency
    forecast = context.forecast if predictive else None
    peaks = headroom.expect(forecast, load, lead_s(context))
    target = context.objective.target_miss_rate
    miss_costs = price.ask(target, law.capacity(target))
    return Outlook(load, peaks, miss_costs, law, target, latency, forecast_wanted=predictive)


def is_modelled(context: Context) -> bool:
    """Whether a model knows the settings in force."""
    return context.latency is not None and context.latency.miss_rates(context.settings) is not None


def _modelled(context: Context, streams_factor: float) -> NodeLaw | None:
    """What a node misses as the knobs stand; None where no model says."""
    miss_rates = None if context.latency is None else context.latency.miss_rates(context.settings)
    return None if miss_rates is None else NodeLaw(miss_rates, streams_factor)


def lead_s(context: Context) -> float:
    """From a decision until a node asked for then serves, one more interval until the next."""
    knob = context.knobs.get("nodes")
    interval_s = context.observation.interval_s
    if knob is None or not isinstance(knob.domain, Bounds):
        return 2 * interval_s
    return context.delays_s.get("nodes", knob.delay_s) + 2 * interval_s


def corrected(factor: float, context: Context) -> float:
    """How many times its streams a node behaves as if it had, by the utilisation measured."""
    load = fresh(context.observation.load)
    busy, nodes = _busy_nodes(context)
    if context.latency is None or busy is None or not nodes or load is None:
        return factor
    expected = context.latency.utilisation(load / nodes, context.settings)
    if expected is None or not LEAST_BUSY < min(busy, expected) <= max(busy, expected) < 1.0:
        return factor
    low, high = FACTOR_RANGE
    measured = min(max(busy / expected, low), high)
    return factor + SMOOTHING * (measured - factor)


def _busy_nodes(context: Context) -> tuple[float | None, float | None]:
    """How busy the nodes are on average, and how many serve; where no node says, the sound's."""
    busy = fresh(context.observation.get("nodes.utilisation"))
    if busy is not None:
        return busy, fresh(context.observation.get("nodes.ready"))
    nodes = context.settings.get("nodes")
    return fresh(context.observation.get("audio.utilisation")), (
        nodes if isinstance(nodes, int) else None
    )
