"""How often a GPU is read: rarely enough that reading costs next to nothing."""

from __future__ import annotations

SHORTEST_S = 1.0
LONGEST_S = 60.0
COST_SHARE = 0.001
"""Part of the time that reading may take: NVML and kernel launches may wait for each other."""
EASING = 0.9
"""Factor by which a period shrinks from one reading to the next, once nothing calls for it."""


def next_period_s(period_s: float, took_s: float) -> float:
    """The period after a reading that took so long: it grows at once, and shrinks slowly."""
    return min(LONGEST_S, max(SHORTEST_S, took_s / COST_SHARE, EASING * period_s))


def longer_period_s(period_s: float) -> float:
    """The period once reading has disturbed sound."""
    return min(LONGEST_S, 2 * period_s)
