"""How far a peer's clock is from ours, from questions and answers on the link."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from policies.observation import Missing

DRIFT_SHARE = 15e-6
"""Share by which two clocks may part: 15 ppm, as RFC 5905 assumes of a host."""
KEPT_EXCHANGES = 64
NO_EXCHANGE = Missing("no question was answered yet")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Four instants in nanoseconds: asked and heard on our clock, received and answered on theirs.

    Offset and round trip are those of RFC 5905, section 8.
    """

    asked_ns: int
    received_ns: int
    answered_ns: int
    heard_ns: int

    @property
    def round_trip_ns(self) -> int:
        """Time on the way, both ways, without that of the peer's own."""
        return (self.heard_ns - self.asked_ns) - (self.answered_ns - self.received_ns)

    @property
    def offset_ns(self) -> int:
        """Their clock minus ours, were both ways equally long."""
        return (self.received_ns - self.asked_ns + self.answered_ns - self.heard_ns) // 2

    def error_ns(self, now_ns: int) -> int:
        """Largest error of that offset now: one way may have taken all the time, clocks drift."""
        return self.round_trip_ns // 2 + int(DRIFT_SHARE * (now_ns - self.heard_ns))


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Their clock minus ours, and the most by which that can be wrong, nanoseconds."""

    offset_ns: int
    error_ns: int

    def to_ours(self, theirs_ns: int) -> int:
        """An instant of their clock on ours."""
        return theirs_ns - self.offset_ns


class OffsetEstimator:
    """Keeps the last exchanges, and trusts the one that leaves the least error."""

    def __init__(self) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=KEPT_EXCHANGES)

    def add(self, exchange: Exchange) -> None:
        """Take one more exchange."""
        self._exchanges.append(exchange)

    def estimate(self, now_ns: int) -> ClockOffset | Missing:
        """The offset now."""
        if not self._exchanges:
            return NO_EXCHANGE
        best = min(self._exchanges, key=lambda exchange: exchange.error_ns(now_ns))
        return ClockOffset(best.offset_ns, best.error_ns(now_ns))
