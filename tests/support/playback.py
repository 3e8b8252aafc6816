"""Plays streams through a workload block by block, as a worker does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PERIOD = 256


def as_host(array):
    return array.get() if hasattr(array, "get") else np.asarray(array)


def play(workload, streams, joins: Sequence[int] | None = None, period: int = PERIOD):
    """Run every stream to its end, stream s from block `joins[s]` on; return the stereo bus."""
    joins = [0] * len(streams) if joins is None else joins
    blocks = streams.shape[1] // period
    bus = np.zeros((2, blocks * period), dtype=np.float32)
    for index in range(blocks):
        slots = np.array([s for s, join in enumerate(joins) if join <= index], dtype=np.intp)
        if len(slots):
            block = slice(index * period, (index + 1) * period)
            heard = workload.process(np.ascontiguousarray(streams[slots, block]), slots)
            bus[:, block] = as_host(heard)
    return bus


def silent_before(streams, joins: Sequence[int], period: int = PERIOD):
    """The streams in double precision, each silent until it joins: what a reference takes."""
    joined = streams.astype(np.float64)
    for stream, join in zip(joined, joins, strict=True):
        stream[: join * period] = 0.0
    return joined
