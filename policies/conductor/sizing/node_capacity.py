"""How many streams a node carries where no model of its latency says: learned as it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from policies.conductor.node_law import RESERVE_SHARE
from policies.conductor.situation import Situation
from policies.objective import CHANCE_PERIODS
from policies.policy import State

SMOOTHING = 0.2
"""Weight of one more interval in how busy a node is of late."""
HALF_LIFE_S = 3600.0
"""Seconds after which what was seen of busier and idler nodes counts half."""
SPREAD = 0.1
"""Part of themselves by which streams vary in the intervals that are believed in beforehand."""
PRIOR_WEIGHT = 60.0
"""Number of these intervals: they show all work to be the streams'."""
LEAST_SLOPE = 0.25
"""Part of a node's work that at least is taken to grow with its streams."""
LEAST_BUSY = 1e-4
"""Part of its time below which a node tells nothing of what its streams take."""
SATURATED = 0.95
"""Part of its time from which a node may have more to do than it can."""
TOO_MANY = 0.95
"""Part of the streams seen to be too many that a node is given at most."""
SOON_S = 15.0
"""Seconds after a node left in which what is missed is missed because it left."""
REMEMBERED_S = 6 * 3600.0
"""Seconds for which what was seen to be too many is believed; then that is tried again."""


@dataclass(slots=True)
class NodeCapacity:
    """Learned from how busy nodes are, and from the streams that proved too many for one.

    `streams` and `busy` are the latest of a node, smoothed. How much busier more streams would
    make it comes from `variance` and `covariance` about `mean_streams` and `mean_busy`, weighted
    averages over the last hours, of which `weight` is the sum of the weights; all of it holds for
    the `settings` of the other knobs. `too_many` are, by these settings, the fewest streams on a
    node that called for another, and when. A node left last at `shrunk_at_s`, and is not back; so
    many blocks were `missed` soon after.
    """

    settings: str = ""
    nodes: int = 0
    streams: float = 0.0
    busy: float = 0.0
    weight: float = 0.0
    mean_streams: float = 0.0
    mean_busy: float = 0.0
    variance: float = 0.0
    covariance: float = 0.0
    too_many: dict[str, list[float]] = field(default_factory=dict)
    shrunk_at_s: float | None = None
    missed: int = 0
    now_s: float | None = None

    @classmethod
    def recall(cls, state: State) -> NodeCapacity:
        """The capacity of an earlier decision out of its `plain`; afresh from anything else."""
        if not isinstance(state, dict) or state.keys() != cls.__dataclass_fields__.keys():
            return cls()
        return cls(**cast(dict[str, Any], state))

    def plain(self) -> State:
        """All of it as plain JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return cast(State, plain | {"too_many": dict(self.too_many)})

    def see(self, situation: Situation) -> None:
        """Take one interval; one in which a knob was turned tells nothing."""
        time_s, streams, busy = situation.time_s, situation.nodes.streams, situation.utilisation
        elapsed_s = None if self.now_s is None else time_s - self.now_s
        turned = self._note_settings(situation)
        self._forget(time_s)
        self.now_s = time_s
        if turned or elapsed_s == 0.0 or streams is None:
            return
        if self._misses_what_left(situation):
            self.note_too_many(situation)
        if busy is not None and busy >= LEAST_BUSY:
            self._learn(streams, busy, 0.5 ** (max(0.0, elapsed_s or 0.0) / HALF_LIFE_S))

    def note_too_many(self, situation: Situation) -> None:
        """Note that the streams a node has now called for another node."""
        streams, fewest = situation.nodes.streams, self._too_many()
        if streams is not None and (fewest is None or streams <= fewest):
            self.too_many[self.settings] = [streams, situation.time_s]

    def most_streams(self) -> float | None:
        """Streams that leave a node its reserve; None where nothing is known of what it carries."""
        fewest = self._too_many()
        most = None if fewest is None else TOO_MANY * fewest
        if self.streams <= 0.0:
            return None if most is None else (1.0 - RESERVE_SHARE) * most
        carried = self.streams + (1.0 - RESERVE_SHARE - self.busy) / self._slope()
        return max(0.0, carried if most is None else min(carried, most))

    def busier(self, streams: float) -> float:
        """Part of its time by which a node with so many streams is busier than now."""
        return 0.0 if self.streams <= 0.0 else self._slope() * (streams - self.streams)

    def _note_settings(self, situation: Situation) -> bool:
        """Whether a knob was turned since; all but nodes make other work of the same streams."""
        settings = str({knob: v for knob, v in situation.settings.items() if knob != "nodes"})
        nodes, before = situation.nodes.in_force or 0, self.nodes
        turned = self.settings != "" and (settings, nodes) != (self.settings, self.nodes)
        if settings != self.settings:
            self.streams = self.busy = self.weight = 0.0
            self.mean_streams = self.mean_busy = self.variance = self.covariance = 0.0
        self.settings, self.nodes = settings, nodes
        if nodes != before:
            self.shrunk_at_s, self.missed = (situation.time_s if nodes < before else None), 0
        return turned

    def _forget(self, time_s: float) -> None:
        """Drop the counts seen to be too many long ago: they are to be tried again."""
        self.too_many = {
            settings: [streams, at_s]
            for settings, (streams, at_s) in self.too_many.items()
            if 0.0 <= time_s - at_s < REMEMBERED_S
        }

    def _too_many(self) -> float | None:
        noted = self.too_many.get(self.settings)
        return None if noted is None else noted[0]

    def _misses_what_left(self, situation: Situation) -> bool:
        """Whether more was missed since a node left than a few periods, in each of which all
        streams are late at once, as happens by chance."""
        blocks, load = situation.observation.blocks, situation.load
        if self.shrunk_at_s is None or blocks is None or load is None:
            return False
        if not 0.0 <= situation.time_s - self.shrunk_at_s <= SOON_S:
            return False
        self.missed += blocks.missed
        return self.missed > CHANCE_PERIODS * load

    def _learn(self, streams: float, busy: float, kept: float) -> None:
        if self.streams <= 0.0:
            self.streams, self.busy = streams, busy
        elif busy < SATURATED or busy > self.busy + self.busier(streams):
            self.streams += SMOOTHING * (streams - self.streams)
            self.busy += SMOOTHING * (busy - self.busy)
        if busy >= SATURATED:
            return
        self.weight = kept * self.weight + 1.0
        off, gain = streams - self.mean_streams, 1.0 / self.weight
        off_busy = busy - self.mean_busy
        self.mean_streams += gain * off
        self.mean_busy += gain * off_busy
        self.variance = (1.0 - gain) * (self.variance + gain * off * off)
        self.covariance = (1.0 - gain) * (self.covariance + gain * off * off_busy)

    def _slope(self) -> float:
        """How much busier one more stream makes a node: ridge regression through what is known,
        drawn towards a node whose work is all its streams'."""
        whole = self.busy / self.streams
        prior = PRIOR_WEIGHT * (SPREAD * self.streams) ** 2
        slope = (self.weight * self.covariance + prior * whole) / (
            self.weight * self.variance + prior
        )
        return min(max(slope, LEAST_SLOPE * whole), whole)
