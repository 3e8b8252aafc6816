"""Pauses between starts that fail, each twice as long as the one before."""

from __future__ import annotations

FIRST_PAUSE_S = 0.1
"""Pause, s, after the first failure."""
LONGEST_PAUSE_S = 5.0
"""Pause, s, that is never exceeded: what was wrong may have been mended."""


class BackOff:
    """Says when to try again; a success makes the next pause the first again."""

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._until_s = 0.0

    def allows(self, now_s: float) -> bool:
        """Whether the pause is over."""
        return now_s >= self._until_s

    def fails(self, now_s: float) -> None:
        """Pause from now on."""
        self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
        self._until_s = now_s + self._pause_s

    def succeeds(self) -> None:
        """Forget the failures."""
        self._pause_s = self._until_s = 0.0
