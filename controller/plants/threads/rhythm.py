"""The rhythm of a thread that plays: it wakes with the cycles of a driver, then sleeps again."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from controller.sensors.threads import Activity

SLOWEST, FASTEST = 0.5, 2.5
"""Wakes a cycle of a thread that plays, at least and at most: it wakes about once."""
RAREST = 0.1
"""Wakes a cycle of a thread that is kept waiting, at least, while it makes up for the delay."""
ALMOST_NEVER = 0.02
"""Wakes a cycle of a thread that is late with every cycle; one that computes may never wake."""
INTERPRETER_WAKES_PER_S = 200.0
"""Wakes a second of a thread that waits for the lock of an interpreter besides, at most: Python
looks for it every 5 ms (`sys.getswitchinterval`)."""
BUSIEST = 0.8
"""Share of its processor, and of the cycles in which it could run, beyond which a thread works,
not plays."""
LATE = 0.7
"""Share of the time in which a thread runs or could, from which the next cycle may not find it
asleep."""
ALWAYS = 0.8
"""Share of the time in which a thread runs or could, from which it may be one that computes."""
AWAITS_LOCK = 1.1
"""Wakes a cycle from which a thread waits for a lock besides: one that only plays has one."""
Rates = tuple[float, ...]
"""Cycles a second of each driver that a process serves: none, one or several."""


def keeps_time(activity: Activity, cycles_per_s: float, is_interpreter: Callable[[], bool]) -> bool:
    """Whether a thread looks like one that sleeps until the next cycle, and runs for a part.

    A thread that is kept waiting finds the next cycle begun already, and does not sleep at all.
    `is_interpreter` is asked only of one that wakes more often than a thread that plays.
    """
    wakes = activity.wakes_per_s / cycles_per_s
    if wakes < max(RAREST, SLOWEST * (1.0 - activity.demand_share)):
        return False
    most = FASTEST
    if wakes > most and is_interpreter():
        most += INTERPRETER_WAKES_PER_S / cycles_per_s
    could_run = 1.0 if activity.demand_share > LATE else activity.demand_share
    cycles_a_wake = max(1.0, could_run / wakes)
    briefly = activity.utilisation / wakes <= BUSIEST * cycles_a_wake
    return wakes <= most and activity.utilisation <= BUSIEST and briefly


def awaits_lock(activity: Activity, rates: Rates) -> bool:
    """Whether a thread wakes more often than the fastest driver that it keeps up with."""
    kept = [each for each in rates if activity.wakes_per_s * AWAITS_LOCK >= each]
    return activity.wakes_per_s > AWAITS_LOCK * max(kept, default=min(rates, default=inf))


def together(rates: Rates) -> Rates:
    """Each rate once, and their sum, where one thread serves several drivers."""
    each = tuple(dict.fromkeys(rates))
    return each if len(each) < 2 else (*each, sum(each))
