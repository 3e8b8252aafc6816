"""Whether what was missed calls for a change, or may have come by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import pdtrik

from policies.conductor.situation import Situation
from policies.diagnosis import Bottleneck

BAD_INTERVALS = 3
"""Intervals of the last ten that must have been bad before the sound is interrupted to mend it."""
STOLEN_INTERVALS = 6
"""Intervals of the ten where the hypervisor is to blame, which may leave off by itself."""
RARE = 0.01
"""Probability below which a few late periods are no chance any more."""
ROUNDING = 1e-6
"""Periods by which a sum of shares may be off."""


@dataclass(frozen=True, slots=True)
class RecentMisses:
    """Misses of the last intervals.

    `bad_intervals` missed more than the target since a change was last judged. `worst` is the
    most that any missed with the settings in force; None while too few of them were bad. With
    these settings all `intervals` together missed `total` times what is due in one.
    """

    bad_intervals: int
    worst: float | None
    total: float = 0.0
    intervals: int = 0


NO_MISSES = RecentMisses(0, 0.0)
"""Misses of a calm in which every block was on time."""


def by_chance(situation: Situation, recent: RecentMisses) -> str | None:
    """Why no capacity would cure the next of a few late periods whose cause nobody knows.

    None where a cause is known, or where more are late than chance would have.
    """
    blocks, load = situation.observation.blocks, situation.load
    if situation.diagnosis.bottleneck is not Bottleneck.UNKNOWN or blocks is None or load is None:
        return None
    due, target = blocks.submitted / max(1.0, load), situation.objective.target_miss_rate
    late_now, late = due * situation.missed, due * recent.total
    allowed = _most_by_chance(target * due * recent.intervals)
    if late_now > _most_by_chance(target * due) or late > allowed:
        return None
    return f"{max(late_now, late):.2g} periods were late of late, as may be by chance on target"


def bearable(situation: Situation, recent: RecentMisses) -> str | None:
    """Why what is missed does not call for an interruption of the sound; None where it does."""
    stolen = situation.diagnosis.bottleneck is Bottleneck.STEAL
    bad, enough = recent.bad_intervals, STOLEN_INTERVALS if stolen else BAD_INTERVALS
    if bad < enough:
        return f"{bad} of {enough} bad intervals yet"
    mean = recent.total / recent.intervals if recent.intervals else None
    if mean is None or mean > situation.objective.target_miss_rate:
        return None
    return f"{mean:.2%} missed lately, which is within the target"


def _most_by_chance(expected: float) -> float:
    """Late periods that come one time in a hundred where so many are expected (Poisson)."""
    return math.ceil(max(0.0, float(pdtrik(1.0 - RARE, expected)))) + ROUNDING
