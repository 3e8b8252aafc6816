"""What a policy expects of the time in which it could not get another node."""

from __future__ import annotations

from dataclasses import dataclass, replace

from policies.headroom import Headroom, Peaks
from policies.knobs import Bounds, Settings
from policies.latency import LatencyModel
from policies.nodes import NodeLaw, Staffing, cheapest, staffed
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

    `latency` and `share_per_stream` are what is known of a node: a model of the pipeline, or
    no more than the part of its time that a stream takes. `streams_factor` corrects the model.
    Where a forecast is wanted, nothing shrinks without one.
    """

    load: float
    peaks: Peaks
    price: float
    target_miss_rate: float
    latency: LatencyModel | None
    share_per_stream: float | None
    streams_factor: float
    forecast_wanted: bool = True

    def law(self, settings: Settings) -> NodeLaw | None:
        """What a node misses with these settings; None where nothing is known of it."""
        if self.latency is not None:
            return NodeLaw(self.latency.miss_rates(settings), self.streams_factor)
        if self.share_per_stream is None:
            return None
        return NodeLaw.unmeasured(self.share_per_stream)

    def needed(self, law: NodeLaw, low: int, high: int) -> Staffing:
        """The cheapest nodes that carry all but the highest peaks."""
        staffing = cheapest(law, self.peaks, self.price, low, high)
        carried = law.capacity(min(0.5, TAIL_MISSES * self.target_miss_rate))
        fewest = min(high, -(-int(self.peaks.quantile(TAIL)) // carried))
        if staffing.nodes >= fewest:
            return staffing
        return staffed(law, self.peaks, self.price, fewest)


def look_out(
    context: Context,
    headroom: Headroom,
    share_per_stream: float | None,
    streams_factor: float,
    *,
    predictive: bool,
) -> Outlook | None:
    """None where the load is not known, or nothing is known of what a node carries."""
    load = fresh(context.observation.load)
    if load is None or (context.latency is None and share_per_stream is None):
        return None
    forecast = context.forecast if predictive else None
    peaks = headroom.expect(forecast, load, lead_s(context))
    target = context.objective.target_miss_rate
    outlook = Outlook(
        load,
        peaks,
        0.0,
        target,
        context.latency,
        share_per_stream,
        streams_factor,
        forecast_wanted=predictive,
    )
    law = outlook.law(context.settings)
    carried = 1 if law is None else law.capacity(target)
    return replace(outlook, price=headroom.price(target, carried))


def lead_s(context: Context) -> float:
    """From a decision until a node asked for then serves, one more interval until the next."""
    knob = context.knobs.get("nodes")
    interval_s = context.observation.interval_s
    if knob is None or not isinstance(knob.domain, Bounds):
        return 2 * interval_s
    return context.delays_s.get("nodes", knob.delay_s) + 2 * interval_s


def corrected(factor: float, context: Context) -> float:
    """How many times its streams a node behaves as if it had, by the utilisation measured."""
    busy = fresh(context.observation.get("nodes.utilisation"))
    nodes = fresh(context.observation.get("nodes.ready"))
    load = fresh(context.observation.load)
    if context.latency is None or busy is None or not nodes or load is None:
        return factor
    expected = context.latency.utilisation(load / nodes, context.settings)
    if not LEAST_BUSY < busy < 1.0 or not LEAST_BUSY < expected < 1.0:
        return factor
    low, high = FACTOR_RANGE
    measured = min(max(busy / expected, low), high)
    return factor + SMOOTHING * (measured - factor)
