"""How good a link is: round trips, bandwidth and the peer's clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from controller.executors.cluster.links.frame import Frame
from controller.executors.cluster.links.quality.clock_offset import ClockOffset, OffsetEstimator
from controller.executors.cluster.links.quality.ping import (
    LARGE_BYTES,
    SMALL_BYTES,
    exchange_of,
    ping,
)
from policies.observation import Missing, Reading, Value

KEPT_TRIPS = 256
FEWEST_TRIPS = 8
"""Answers below which nothing is said of quantiles."""
TOO_FEW = Missing("too few questions were answered yet")
NOT_SEEN = Missing("large questions took no longer than small ones")


@dataclass(frozen=True, slots=True)
class LinkQuality:
    """What was measured of a link; `fastest_us` is a round trip that nothing held up."""

    fastest_us: Reading
    round_trip_p50_us: Reading
    round_trip_p99_us: Reading
    bandwidth_bytes_per_s: Reading
    clock: ClockOffset | Missing


class LinkProbe:
    """Asks questions, and makes figures of the answers, of the last few minutes."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._clock = OffsetEstimator()
        self._small_ns: deque[int] = deque(maxlen=KEPT_TRIPS)
        self._large_ns: deque[int] = deque(maxlen=KEPT_TRIPS // 8)

    def question(self, now_ns: int, *, is_large: bool = False) -> Frame:
        """A question to send now; a large one measures the bandwidth."""
        return ping(now_ns, LARGE_BYTES if is_large else SMALL_BYTES)

    def heard(self, answered: Frame, heard_ns: int) -> None:
        """Take an answer. Raises FrameError where it cannot be one."""
        exchange, filling_bytes = exchange_of(self._peer, answered, heard_ns)
        if filling_bytes == SMALL_BYTES:
            self._clock.add(exchange)
            self._small_ns.append(exchange.round_trip_ns)
        elif filling_bytes == LARGE_BYTES:
            self._large_ns.append(exchange.round_trip_ns)

    def quality(self, now_ns: int) -> LinkQuality:
        """All figures now."""
        return LinkQuality(
            fastest_us=self._quantile_us(0.0),
            round_trip_p50_us=self._quantile_us(0.5),
            round_trip_p99_us=self._quantile_us(0.99),
            bandwidth_bytes_per_s=self._bandwidth(),
            clock=self._clock.estimate(now_ns),
        )

    def _quantile_us(self, share: float) -> Reading:
        if len(self._small_ns) < FEWEST_TRIPS:
            return TOO_FEW
        return Value(float(np.quantile(np.array(self._small_ns), share)) / 1e3)

    def _bandwidth(self) -> Reading:
        """Filling over the time by which the fastest large question took longer than a small."""
        if not self._large_ns or len(self._small_ns) < FEWEST_TRIPS:
            return TOO_FEW
        longer_ns = min(self._large_ns) - min(self._small_ns)
        return Value(LARGE_BYTES / (longer_ns / 1e9)) if longer_ns > 0 else NOT_SEEN
