"""Streams per kernel call."""

from __future__ import annotations

import math

from policies.knobs import Choice


def calls_per_block(streams: float, nodes: int, batch_size: int) -> int:
    """Kernel calls that each worker makes for a block."""
    return max(1, math.ceil(math.ceil(streams / nodes) / batch_size))


def larger(domain: Choice, batch_size: int, streams: float, nodes: int) -> tuple[int, ...]:
    """Larger batches that save calls, those that save the most first, and none beyond need."""
    smallest: dict[int, int] = {}
    for value in domain.values:
        if isinstance(value, int) and value > batch_size:
            smallest.setdefault(calls_per_block(streams, nodes, value), value)
    smallest.pop(calls_per_block(streams, nodes, batch_size), None)
    return tuple(smallest[calls] for calls in sorted(smallest))
