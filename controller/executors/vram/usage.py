"""What device memory is used for, and who yields to whom when there is too little."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from policies.objective import Priority


class Usage(StrEnum):
    """What an allocation is for; workspace is what every block needs, and never yields."""

    AUDIO = "audio"
    ANALYSIS = "analysis"
    VISUALISATION = "visualisation"
    CACHE = "cache"
    WORKSPACE = "workspace"


STREAMS = (Usage.VISUALISATION, Usage.ANALYSIS, Usage.AUDIO)
"""Usages of live streams; all yield to workspace, and after caches."""
YIELDING = {
    Priority.AUDIO: (Usage.VISUALISATION, Usage.ANALYSIS, Usage.AUDIO),
    Priority.VISUAL: (Usage.ANALYSIS, Usage.AUDIO, Usage.VISUALISATION),
}
"""Order in which streams yield, the first to yield first; balanced has none of its own."""


def yielding_to(
    waiter: Usage, priority: Priority, used_bytes: Mapping[Usage, int]
) -> tuple[Usage, ...]:
    """Usages that a waiter may take from, after caches, the first to yield first.

    Streams yield to those that rank above them; balanced ranks those higher that hold less.
    """
    held = {usage: used_bytes.get(usage, 0) for usage in STREAMS}
    order = YIELDING.get(priority) or tuple(sorted(STREAMS, key=lambda usage: -held[usage]))
    if waiter is Usage.WORKSPACE:
        return order
    if waiter is Usage.CACHE:
        return ()
    below = order[: order.index(waiter)]
    if priority is Priority.BALANCED:
        return tuple(usage for usage in below if held[usage] > held[waiter])
    return below
