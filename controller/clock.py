"""Time, as an argument."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since the epoch that never jump; a simulated plant moves its own."""

    def now_s(self) -> float:
        """The time."""
        ...

    def sleep_until(self, time_s: float) -> None:
        """Return at that time, or at once if it has passed."""
        ...


class WallClock:
    """Wall time at the start, carried on by the monotonic clock: a set clock moves nothing."""

    def __init__(self) -> None:
        self._epoch_minus_monotonic_s = time.time() - time.monotonic()
        self._woken = threading.Event()

    def now_s(self) -> float:
        """The time."""
        return time.monotonic() + self._epoch_minus_monotonic_s

    def sleep_until(self, time_s: float) -> None:
        """Sleep until then, or until `wake` is called."""
        self._woken.wait(max(0.0, time_s - self.now_s()))

    def wake(self) -> None:
        """End this sleep and every later one at once; safe in a signal handler."""
        self._woken.set()
