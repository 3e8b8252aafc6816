"""How often a GPU is read: rarely enough that reading costs next to nothing."""

from __future__ import annotations

SHORTEST_S = 1.0
LONGEST_S = 60.0
COST_SHARE = 0.001
"""Part of the time that reading may take: NVML and kernel launches may wait for each other."""
EASING = 0.9
"""Factor by which a period shrinks from one reading to the next, at most."""
GROWTH = 2.0
"""Factor by which it grows, at most: one reading that took long may have been chance."""


def next_period_s(period_s: float, took_s: float) -> float:
    """The period after a reading that took so long: towards what that costs, in steps."""
    wanted_s = min(GROWTH * period_s, max(EASING * period_s, took_s / COST_SHARE))
    return min(LONGEST_S, max(SHORTEST_S, wanted_s))


def longer_period_s(period_s: float) -> float:
    """The period once reading has disturbed sound."""
    return min(LONGEST_S, GROWTH * period_s)
