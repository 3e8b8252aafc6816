"""A change of level or of habit: loads that surprise again and again in the same direction."""

from __future__ import annotations

import math
from typing import Any

from policies.policy import State

SLACK = 1.0
"""Normal scores taken off each surprise, so that ordinary ones leave nothing."""
ENOUGH = 6.0
"""Sum of what is left that is taken for a change: three surprises or so of three sigma."""


class Change:
    """Two cumulative sums of surprises, one upward and one downward.

    Page, Biometrika 41 (1954).
    """

    def __init__(self) -> None:
        self._sums = (0.0, 0.0)

    def seen(self, surprise: float) -> bool:
        """Whether this surprise completes a change; the sums then begin anew. NaN is none."""
        if math.isnan(surprise):
            return False
        up, down = self._sums
        self._sums = (max(0.0, up + surprise - SLACK), max(0.0, down - surprise - SLACK))
        if max(self._sums) < ENOUGH:
            return False
        self._sums = (0.0, 0.0)
        return True

    def saved(self) -> State:
        """The sums."""
        return list(self._sums)

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self._sums = (saved[0], saved[1])
