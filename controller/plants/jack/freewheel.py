"""Freewheel of a JACK server: it plays as fast as it can, as for an export."""

from __future__ import annotations

import itertools
from collections import deque

FRAMES_COUNTED = 1 << 32
"""Frames at which the count of JACK begins anew: once a day."""
LINES_TOO_FAST, TOO_FAST = 3, 1.5
"""Lines in a row, and the speed in times of the clock from which frames between all of them mean
freewheel: for a moment they go by as fast after a stall."""


class Freewheel:
    """Whether the server plays as fast as it can, as for an export.

    The server tells when that begins and ends; who joins meanwhile sees only that cycles come
    much faster than the clock, or is told of the end.
    """

    def __init__(self) -> None:
        self._told: bool | None = None
        self._seen: deque[tuple[int, int]] = deque(maxlen=LINES_TOO_FAST)

    def tell(self, begins: bool) -> None:
        """Take what the server says."""
        self._told = begins

    def lasts(self, time_ns: int, frames: int, sample_rate_hz: int) -> bool:
        """Whether it freewheels now, `frames` after it began to count."""
        self._seen.append((time_ns, frames))
        if self._told is not None:
            return self._told
        if len(self._seen) < LINES_TOO_FAST:
            return False
        pairs = itertools.pairwise(self._seen)
        return all(_speed(*before, *now, sample_rate_hz) > TOO_FAST for before, now in pairs)


def _speed(before_ns: int, before: int, now_ns: int, now: int, sample_rate_hz: int) -> float:
    """How fast frames went by, in times of the clock."""
    elapsed_s = (now_ns - before_ns) / 1e9
    return (now - before) % FRAMES_COUNTED / sample_rate_hz / elapsed_s if elapsed_s > 0.0 else 0.0
