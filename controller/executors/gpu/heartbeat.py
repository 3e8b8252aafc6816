"""Whether a worker that says that it is at work still does anything, told by a count of batches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

PATIENCE_S = 5.0
"""Seconds without a batch after which a worker hangs; the largest on a slow device takes half."""
UNWATCHED_S = 0.5
"""Seconds from one look to the next after which whoever looks was itself kept from running."""


class Heartbeat:
    """Watches a count that grows as long as a worker works, however slowly it does."""

    def __init__(
        self, beats: Callable[[], int], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._beats = beats
        self._now_s = now_s
        self._seen = 0
        self._since_s = self._looked_s = -math.inf

    def has_stopped(self) -> bool:
        """Whether the count has long stayed as it is.

        To be asked often: after a while in which nobody asked, the patience begins anew.
        """
        now_s, beats = self._now_s(), self._beats()
        was_away = now_s - self._looked_s > UNWATCHED_S
        self._looked_s = now_s
        if was_away or beats != self._seen:
            self._seen, self._since_s = beats, now_s
        return now_s - self._since_s > PATIENCE_S
