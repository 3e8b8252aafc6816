"""Streams that come and go, as an allocation trace that any allocator can play."""

from __future__ import annotations

import numpy as np

from controller.executors.vram.traces import AllocationTrace, TraceWriter
from controller.executors.vram.usage import Usage

FILL = 0.8
"""Share of the memory that is asked for at any time."""
SMALL_BYTES = (1 << 9, 1 << 17)
"""Bytes of states and responses, from one extreme to the other, uniform in their logarithm."""
LARGE_SHARE, LARGEST_PART = 0.01, 1 / 32
"""Share of allocations that are large, up to such a part of the memory."""
TURNS = 3
"""Times that what is allocated is replaced."""


def churn(memory_bytes: int, seed: int = 0) -> AllocationTrace:
    """Fill the memory to its share, then let a random stream go for each that comes."""
    rng, writer = np.random.default_rng(seed), TraceWriter()
    live: list[tuple[int, int]] = []
    held = asked = number = 0
    while asked < TURNS * memory_bytes:
        size = _size(rng, memory_bytes)
        while held + size > FILL * memory_bytes:
            place = int(rng.integers(len(live)))
            live[place], live[-1] = live[-1], live[place]
            gone, gone_bytes = live.pop()
            held -= gone_bytes
            writer.write(gone, 0, Usage.AUDIO)
        writer.write(number, size, Usage.AUDIO)
        live.append((number, size))
        held, asked, number = held + size, asked + size, number + 1
    for gone, _ in live:
        writer.write(gone, 0, Usage.AUDIO)
    return writer.trace()


def _size(rng: np.random.Generator, memory_bytes: int) -> int:
    low, high = SMALL_BYTES
    if rng.random() < LARGE_SHARE:
        low, high = high, int(LARGEST_PART * memory_bytes)
    return int(np.exp(rng.uniform(np.log(low), np.log(high))))
