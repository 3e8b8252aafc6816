"""A planner as Dynamo's: a slow floor from a forecast, and a fast reaction to latency."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import ClassVar, cast

from policies.baselines.baseline import NodeBaseline
from policies.baselines.node_law import NodeReading, Pairs, number, propose, remembered
from policies.constants import Fraction, Streams
from policies.observation import fresh
from policies.policy import Context, State
from policies.proposal import Proposal

SLOW_S = 180.0
FAST_S = 5.0
MOST_CHANGE = 8
SLACK = 0.8
BUCKETS = 16
"""Ranges of load whose samples are kept apart, so that a long calm forgets no rush."""
A_BUCKET = 4
"""Samples of each, the latest."""
ENOUGH_SAMPLES = 5
NOISE_LEVEL, NOISE_TREND, NOISE_MEASURED, UNCERTAINTY = 1.0, 0.1, 10.0, 1000.0


@dataclass(frozen=True, slots=True)
class LocalTrend:
    """A Kalman filter of level and trend: F = [[1, 1], [0, 1]], H = [1, 0], P0 = 1000 I.

    The covariance is the symmetric (`level`, `cross`, `slope`).
    """

    value: float = 0.0
    trend: float = 0.0
    level: float = UNCERTAINTY
    cross: float = 0.0
    slope: float = UNCERTAINTY

    def after(self, measured: float) -> LocalTrend:
        """Predict one step (Q = diag(1, 0.1)) and correct by what was measured (R = 10)."""
        value = self.value + self.trend
        level = self.level + 2 * self.cross + self.slope + NOISE_LEVEL
        cross, slope = self.cross + self.slope, self.slope + NOISE_TREND
        gain = level / (level + NOISE_MEASURED)
        gain_trend = cross / (level + NOISE_MEASURED)
        error = measured - value
        return LocalTrend(
            value + gain * error,
            self.trend + gain_trend * error,
            (1.0 - gain) * level,
            (1.0 - gain) * cross,
            slope - gain_trend * cross,
        )

    @property
    def ahead(self) -> float:
        """The next step's value, never negative."""
        return max(0.0, self.value + self.trend)


def line(points: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """Least squares through the points: intercept and slope; None of too few, or all at one x."""
    count = len(points)
    if count < ENOUGH_SAMPLES:
        return None
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread <= 1e-12:
        return None
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return mean_y - slope * mean_x, slope


def bucket(share: float, full_share: float) -> str:
    """The sixteenth of `full_share` that a load of a node lies in; the last has all above it."""
    return str(min(int(BUCKETS * share / full_share), BUCKETS - 1))


def floor_for(streams: float, streams_per_node: float, idle_ms: float, deadline_ms: float) -> int:
    """Nodes for a forecast load; more where even an idle one would miss the deadline."""
    idle = math.ceil(idle_ms / deadline_ms) if idle_ms > deadline_ms else 1
    return max(1, idle, math.ceil(streams / streams_per_node))


@dataclass(frozen=True, slots=True)
class DynamoLike(NodeBaseline):
    """Floor: the forecast load over the capacity of a node; above it, one node at a time."""

    streams_per_node: Streams = 85.0
    slack: Fraction = SLACK

    name: ClassVar[str] = "dynamo_like"
    looks_back_s: ClassVar[float] = 43_200.0
    SWEEP: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType(
        {"streams_per_node": (20.0, 40.0, 60.0, 75.0, 85.0)}
    )

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Without a load or a latency the count stays."""
        reading, saved = NodeReading.of(context), remembered(state)
        latency_ms = fresh(context.observation.latency.p99_ms)
        if reading is None or reading.load is None or latency_ms is None or reading.ready == 0:
            return Proposal(reason="the load or the latency is not known"), state
        now_s, share = reading.time_s, reading.load / reading.ready
        samples = _samples(saved.get("samples"))
        alike = samples.setdefault(bucket(share, self.streams_per_node), [])
        alike.append([share, latency_ms])
        del alike[:-A_BUCKET]
        law, deadline_ms = line(list(chain(*samples.values()))), context.objective.deadline_ms
        trend = LocalTrend(*_numbers(saved.get("trend")))
        floor = int(number(saved.get("floor"), 1.0))
        slow_s, fast_s = number(saved.get("slow_s"), now_s), number(saved.get("fast_s"), now_s)
        if now_s >= slow_s:
            trend, slow_s = trend.after(reading.load), now_s + SLOW_S
            idle_ms = 0.0 if law is None else law[0]
            wanted = floor_for(trend.ahead, self.streams_per_node, idle_ms, deadline_ms)
            floor = max(floor - MOST_CHANGE, min(floor + MOST_CHANGE, wanted))
        nodes = reading.wanted
        if now_s >= fast_s and reading.ready == reading.wanted:
            nodes, fast_s = self._react(nodes, share, deadline_ms - latency_ms, law), now_s + FAST_S
        nodes = reading.clamped(max(nodes, floor))
        why = f"a floor of {floor} for {trend.ahead:.0f} streams; p99 {latency_ms:.2f} ms"
        return propose(reading, nodes, why), {
            "samples": cast(State, samples),
            "trend": [trend.value, trend.trend, trend.level, trend.cross, trend.slope],
            "floor": floor,
            "slow_s": slow_s,
            "fast_s": fast_s,
        }

    def _react(
        self, nodes: int, share: float, left_ms: float, law: tuple[float, float] | None
    ) -> int:
        """Nodes: one more where the deadline is missed, one fewer where slack would be left."""
        if left_ms < 0.0:
            return nodes + 1
        if law is None or nodes < 2:
            return nodes
        rise_ms = law[1] * share * (nodes / (nodes - 1) - 1.0)
        return nodes - 1 if rise_ms < self.slack * left_ms else nodes


def _samples(state: State) -> dict[str, Pairs]:
    """The pairs of load and latency in each bucket, the oldest first."""
    known = cast(dict[str, Pairs], state if isinstance(state, dict) else {})
    return {key: [*pairs] for key, pairs in known.items()}


def _numbers(state: State) -> list[float]:
    return [number(each, 0.0) for each in state] if isinstance(state, list) else []
