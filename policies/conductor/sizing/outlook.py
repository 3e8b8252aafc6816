"""The outlook: the load expected until another node could serve, and its cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.conductor.node_law import TAIL, NodeLaw, Staffing, needed, staffed
from policies.conductor.peaks import Peaks
from policies.conductor.situation import Situation
from policies.conductor.sizing.estimates import Estimates
from policies.forecast import Forecast
from policies.knobs import Bounds, Settings
from policies.latency import LatencyModel
from policies.observation import fresh

UNEXPLAINED = 3.0
"""Times the misses that the model expects, beyond which they have another cause than the load."""
SMOOTHING = 0.1
"""Weight of one more measurement of how a node compares with its model."""
FACTOR_RANGE = (0.25, 4.0)
"""Factor between which a node is believed to differ from its model."""
LEAST_BUSY = 0.05
"""Part of its time below which a node says little about its streams."""


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """The load, how high it may rise in the lead window, and what a miss costs, in nodes.

    `law` says what a node misses as the knobs stand, `latency` what it would with others; None
    where no model knows those in force. `staffing` is cheapest for that; None where nodes cannot
    be turned. `pressed` says that the nodes in force may miss more than what another node costs,
    `explained` that no more is missed than the load makes of them, `lacks_forecast` that a
    forecast is wanted and there is none: then nothing shrinks.
    """

    load: float
    load_unit: str
    peaks: Peaks
    price: float
    law: NodeLaw
    target_miss_rate: float
    latency: LatencyModel | None
    staffing: Staffing | None
    pressed: bool
    explained: bool
    lacks_forecast: bool

    @property
    def on_the_way(self) -> Peaks:
        """The load until another node could serve: what it is now, and what it comes to."""
        return Peaks(np.array([self.load, self.peaks.quantile(0.5)]), np.array([0.5, 0.5]))

    @property
    def summary(self) -> str:
        """The load expected, for people to read."""
        median, high = self.peaks.quantile(0.5), self.peaks.quantile(TAIL)
        return (
            f"{self.load:.0f} {self.load_unit} now, {self.peaks.expected_by} a "
            f"peak of {median:.0f} until another node could serve, {high:.0f} one time in a hundred"
        )

    def law_with(self, settings: Settings) -> NodeLaw | None:
        """The misses of a node with other settings; None where no model says."""
        miss_rates = None if self.latency is None else self.latency.miss_rates(settings)
        return None if miss_rates is None else NodeLaw(miss_rates, self.law.streams_factor)

    def staffed(self, nodes: int) -> Staffing:
        """The cost of so many nodes as the knobs stand."""
        return staffed(self.law, self.peaks, self.price, nodes)

    def needed(self, law: NodeLaw, bounds: Bounds) -> Staffing:
        """The cheapest nodes by another law that carry all but the highest peaks."""
        return needed(law, self.peaks, self.price, self.target_miss_rate, bounds)

    def cost(self, law: NodeLaw, later: Staffing, nodes: int) -> float:
        """Cost of nodes that come later, and of what `nodes` in force miss by a law until then."""
        now = staffed(law, self.on_the_way, self.price, nodes)
        return later.cost + now.cost - now.nodes


def look_out(
    situation: Situation,
    forecast: Forecast | None,
    estimates: Estimates,
    streams_factor: float,
    *,
    predictive: bool,
) -> Outlook | None:
    """The load that may come, and the nodes that it needs.

    None where the load is not known, or nothing is known of what a node carries: neither a model,
    which `streams_factor` corrects, nor what was learned of its capacity.
    """
    load, law, most_streams = situation.load, situation.law, estimates.capacity.most_streams()
    if law is not None:
        law = NodeLaw(law.miss_rates, streams_factor)
    elif most_streams is not None:
        law = NodeLaw.unmeasured(most_streams)
    if load is None or law is None:
        return None
    explained = _is_explained(situation, load, law)
    peaks = estimates.headroom.expect(
        forecast if predictive else None, load, situation.nodes.lead_s
    )
    target, bounds = situation.objective.target_miss_rate, situation.nodes.bounds
    price = estimates.price.ask(target, law.capacity(target))
    now = situation.nodes.in_force
    return Outlook(
        load,
        situation.observation.load_unit,
        peaks,
        price,
        law,
        target,
        None if situation.law is None else situation.latency,
        None if bounds is None else needed(law, peaks, price, target, bounds),
        now is not None and staffed(law, peaks, price, now).cost > now + 1.0,
        explained,
        predictive and forecast is None,
    )


def _is_explained(situation: Situation, load: float, law: NodeLaw) -> bool:
    """Whether no more is missed than is allowed, or than the load makes of the nodes in force."""
    if situation.missed <= situation.objective.target_miss_rate:
        return True
    expected = float(law.miss_rate(load, situation.nodes.sharing))
    return situation.missed <= UNEXPLAINED * expected


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
