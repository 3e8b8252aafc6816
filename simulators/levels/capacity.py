"""The streams that a node carries within the target, by the interval level of a pipeline."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from policies.knobs import Settings
from policies.latency import Calibration
from simulators.levels.closed_form import IntervalLevel, quiet_work
from simulators.levels.latency import IntervalLatency

BATCH_SIZE = 16
"""Streams in a batch when a simulation begins; the oracle, and who turns only nodes, keep it."""
VRAM_BLOCK_BYTES = 1 << 17
"""Bytes in a block of device memory when a simulation begins."""


@lru_cache(maxsize=16)
def interval_level(calibration: Calibration) -> IntervalLevel:
    """The closed form of a pipeline, one for all who ask: it remembers each law it worked out."""
    return IntervalLevel(calibration)


@lru_cache(maxsize=16)
def latency_model(calibration: Calibration) -> IntervalLatency:
    """The latency model of a pipeline that policies are told in a simulation."""
    found = Settings.of({"batch_size": BATCH_SIZE, "vram_block_bytes": VRAM_BLOCK_BYTES})
    return IntervalLatency(interval_level(calibration), calibration, found)


def node_capacity(calibration: Calibration, batch_size: int, target_miss_rate: float) -> int:
    """The most streams on a node that miss no more than the target, at least one.

    Never more than the node can keep up with, whatever the target.
    """
    level, stable = interval_level(calibration), int(calibration.stable_streams(batch_size)) + 1

    def misses(streams: int) -> bool:
        return level.law(quiet_work(streams, batch_size)).miss_rate > target_miss_rate

    return max(1, bisect_left(range(stable), True, key=misses) - 1)


def node_miss_rates(calibration: Calibration, batch_size: int) -> NDArray[np.float64]:
    """Miss rate of a node by its streams, from none to twice what it could ever carry."""
    streams_max = 2 * int(calibration.stable_streams(batch_size)) + 1
    return interval_level(calibration).miss_rates(streams_max, batch_size)
