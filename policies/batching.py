"""Streams per kernel call."""

from __future__ import annotations

import math

from policies.knobs import Choice


def calls_per_block(streams: float, nodes: int, batch_size: int) -> int:
    """Kernel calls that each worker makes for a block."""
    return max(1, math.ceil(math.ceil(streams / nodes) / batch_size))


def larger(domain: Choice, batch_size: int, streams: float, nodes: int) -> int | None:
    """The next larger batch that saves a call; None where one call holds all streams already."""
    calls = calls_per_block(streams, nodes, batch_size)
    for value in domain.values:
        if not isinstance(value, int) or value <= batch_size:
            continue
        if calls_per_block(streams, nodes, value) < calls:
            return value
    return None
