"""Streams that come and go, as allocation traces that any allocator can play."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from controller.executors.vram.traces import AllocationTrace, TraceWriter
from controller.executors.vram.usage import Usage

SMALL_BYTES = (1 << 9, 1 << 17)
"""Bytes of states and responses, from one extreme to the other, uniform in their logarithm."""
LARGE_BYTES = (1 << 20, 1 << 24)
"""Bytes of long responses and of pictures, likewise."""
LARGE_SHARE = 0.01
"""Share of allocations that are large."""
TROUGH_FILL, PEAK_FILL = 0.6, 0.9
"""Mean share of the arena that is asked for at night and at noon."""
MEAN_LIFE_H = 1.0
"""Hours that a stream stays, in the mean."""


def steady(arena_bytes: int, fill: float, allocations: int, seed: int) -> AllocationTrace:
    """Fill the arena to a share, then let a random stream go for each that comes."""
    rng, writer = random.Random(seed), TraceWriter()
    live: list[tuple[int, int]] = []
    held = 0
    for number, size in zip(range(allocations), _sizes(rng), strict=False):
        while held + size > fill * arena_bytes:
            place = rng.randrange(len(live))
            live[place], live[-1] = live[-1], live[place]
            gone, bytes_gone = live.pop()
            held -= bytes_gone
            writer.write(gone, 0, Usage.AUDIO)
        writer.write(number, size, Usage.AUDIO)
        live.append((number, size))
        held += size
    return writer.trace()


def day(arena_bytes: int, seed: int, hours: float = 24.0) -> AllocationTrace:
    """A day: streams that come as the hour has it, and stay for an exponential time."""
    rng = np.random.default_rng(seed)
    arrivals_h = _arrivals(rng, arena_bytes, hours)
    leave_h = arrivals_h + rng.exponential(MEAN_LIFE_H, len(arrivals_h))
    sizes = _many_sizes(rng, len(arrivals_h))
    times_h = np.concatenate((arrivals_h, leave_h))
    order = np.argsort(times_h, kind="stable")
    order = order[times_h[order] <= hours]
    numbers = np.tile(np.arange(len(arrivals_h)), 2)[order]
    bytes_each = np.concatenate((sizes, np.zeros_like(sizes)))[order]
    return AllocationTrace(numbers, bytes_each, np.zeros(len(order), np.uint8))


def mean_bytes() -> float:
    """Bytes of an allocation, in the mean."""
    return (1 - LARGE_SHARE) * _log_mean(SMALL_BYTES) + LARGE_SHARE * _log_mean(LARGE_BYTES)


def _arrivals(rng: np.random.Generator, arena_bytes: int, hours: float) -> NDArray[np.float64]:
    """Instants in order; those before the day fill the arena to what is usual at its start."""
    middle, swing = (PEAK_FILL + TROUGH_FILL) / 2, (PEAK_FILL - TROUGH_FILL) / 2
    rate_per_h = arena_bytes / mean_bytes() / MEAN_LIFE_H
    begin_h = -6 * MEAN_LIFE_H
    count = rng.poisson(rate_per_h * PEAK_FILL * (hours - begin_h))
    times_h = np.sort(rng.uniform(begin_h, hours, count))
    wanted = middle - swing * np.cos(2 * np.pi * times_h / 24.0)
    return times_h[rng.uniform(0.0, PEAK_FILL, count) < wanted]


def _sizes(rng: random.Random) -> Iterator[int]:
    while True:
        low, high = LARGE_BYTES if rng.random() < LARGE_SHARE else SMALL_BYTES
        yield int(math.exp(rng.uniform(math.log(low), math.log(high))))


def _many_sizes(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    is_large = rng.random(count) < LARGE_SHARE
    low, high = (np.where(is_large, *each) for each in zip(LARGE_BYTES, SMALL_BYTES, strict=True))
    sizes: NDArray[np.float64] = low * (high / low) ** rng.random(count)
    return sizes.astype(np.int64)


def _log_mean(bounds: tuple[int, int]) -> float:
    low, high = bounds
    return (high - low) / math.log(high / low)
