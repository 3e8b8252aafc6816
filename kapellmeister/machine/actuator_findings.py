"""The actuators, as the doctor finds them: what may be done to a thread here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from controller.errors import ThreadGoneError
from controller.linux import obstacles, permissions
from controller.linux.permissions import NICE_PROBED, UNTHROTTLED, Permissions
from kapellmeister.machine.finding import Finding, Status

WAKE_UP_LATENCY = Path("/dev/cpu_dma_latency")
NOTHING_GRANTED = Permissions(
    realtime=False, nice=False, priority_max=0, cpus=frozenset(), demotion=False
)


def permitted() -> Permissions:
    """The permissions on a thread that is made for this; nothing where it cannot be found."""
    try:
        return permissions.permitted()
    except ThreadGoneError:
        return NOTHING_GRANTED


def actuator_findings(granted: Permissions) -> Iterator[Finding]:
    """Findings about what may be done to threads, real-time scheduling first."""
    yield _actuator(
        "real-time scheduling",
        granted.realtime,
        f"FIFO up to priority {granted.priority_max}",
        obstacles.realtime_obstacle(os.getpid()) if obstacles.is_throttled() else UNTHROTTLED,
    )
    yield _actuator(
        "nice levels",
        granted.nice,
        f"down to {NICE_PROBED}",
        obstacles.nice_obstacle(),
    )
    several = len(granted.cpus) > 1
    yield Finding(
        name="processor sets",
        status=Status.WORKS if several else Status.NOTE,
        found=f"of processors {_numbers(granted.cpus)}" if several else "only one processor",
    )
    yield _actuator(
        "wake-up latency",
        os.access(WAKE_UP_LATENCY, os.W_OK),
        f"{WAKE_UP_LATENCY} is writable; not used by this version",
        f"give write access to {WAKE_UP_LATENCY}; this version does not use it",
    )


def _actuator(name: str, works: bool, found: str, remedy: str) -> Finding:
    if works:
        return Finding(name=name, status=Status.WORKS, found=found)
    return Finding(name=name, status=Status.REFUSED, found="not permitted", remedy=remedy)


def _numbers(cpus: frozenset[int]) -> str:
    """Processors in words that fit a line: `0-3,6`."""
    spans: list[list[int]] = []
    for cpu in sorted(cpus):
        if spans and cpu == spans[-1][-1] + 1:
            spans[-1][1:] = [cpu]
        else:
            spans.append([cpu])
    return ",".join("-".join(map(str, span)) for span in spans)
