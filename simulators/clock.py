"""Time that passes only when somebody sleeps."""

from __future__ import annotations


class SimulatedClock:
    """Moves at once to whatever time is slept until."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        """The time, seconds."""
        return self._now_s

    def sleep_until(self, time_s: float) -> None:
        """Let the time pass."""
        self._now_s = max(self._now_s, time_s)
