"""How this process may schedule threads: found by trying, on one that exists for this alone."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from controller.errors import SchedulingRefusedError
from controller.linux.obstacles import is_throttled
from controller.linux.scheduling import (
    PRIORITY_MAX,
    Scheduling,
    ThreadId,
    probe,
    read,
    restore,
    write,
)

UNTHROTTLED = (
    "the kernel would not throttle it: set `sysctl kernel.sched_rt_runtime_us=950000`, "
    "or `sidecar.realtime_without_throttling`"
)
"""Remedy where real-time is not used although the kernel may grant it."""

NICE_PROBED = -11
"""Raised nice level that decides whether nice levels count as permitted."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """All that the kernel lets this process do to a thread of its own.

    `priority_max` is the highest real-time priority granted, up to `PRIORITY_MAX`, and 0
    without any; `cpus` are the processors this process may run on. `demotion` says whether a
    lowered nice level and the idle class could be restored from: without, neither is permitted.
    `why` names what was refused and the remedy, and is empty where nothing was.
    """

    realtime: bool
    nice: bool
    priority_max: int
    cpus: frozenset[int]
    why: str = ""
    demotion: bool = True


def permitted(unthrottled: bool = False) -> Permissions:
    """Try each kind of change on a thread that exists for this purpose alone.

    Where the kernel would not throttle a real-time thread that never pauses, real-time counts
    as refused unless `unthrottled` says otherwise: such a thread could stop the machine.
    """
    with probe() as thread:
        granted = _try_on(thread)
    if unthrottled or not granted.realtime or is_throttled():
        return granted
    why = f"real-time: {UNTHROTTLED}"
    why = f"{granted.why}; {why}" if granted.why else why
    return replace(granted, realtime=False, priority_max=0, why=why)


def _try_on(thread: ThreadId) -> Permissions:
    found = read(thread)
    realtime = replace(found, policy=os.SCHED_FIFO, reset_on_fork=True)
    nice_refused = _refused(thread, replace(found, nice=NICE_PROBED, reset_on_fork=True))
    realtime_refused = _refused(thread, replace(realtime, priority=1))
    priority = 0 if realtime_refused else PRIORITY_MAX
    while priority and _refused(thread, replace(realtime, priority=priority)):
        priority -= 1
    restore(thread, found)
    demotion_refused = _refused(thread, replace(found, policy=os.SCHED_IDLE))
    refusals = (nice_refused, demotion_refused, realtime_refused)
    return Permissions(
        realtime=realtime_refused is None,
        nice=nice_refused is None,
        priority_max=priority,
        cpus=found.cpus,
        why="; ".join(refusal for refusal in refusals if refusal is not None),
        demotion=demotion_refused is None,
    )


def _refused(thread: ThreadId, wanted: Scheduling) -> str | None:
    try:
        write(thread, wanted)
    except SchedulingRefusedError as error:
        return f"{error.wanted}: {error.remedy}"
    return None
