"""Figures that a device worker writes and its executor reads, in shared memory."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

FIGURES = np.dtype(
    [
        ("block_bytes_wanted", np.int64),
        ("block_bytes", np.int64),
        ("capacity", np.int64),
        ("homeless", np.int64),
        ("beats", np.int64),
        ("arena_bytes", np.int64),
        ("used_bytes", np.int64),
        ("largest_free_bytes", np.int64),
        ("owner_audio_bytes", np.int64),
        ("owner_analysis_bytes", np.int64),
        ("owner_visualisation_bytes", np.int64),
        ("owner_cache_bytes", np.int64),
        ("owner_workspace_bytes", np.int64),
        ("fragmentation_share", np.float64),
        ("allocation_wait_us", np.float64),
        ("failures_full", np.int64),
        ("failures_fragmented", np.int64),
        ("defragmented_bytes", np.int64),
        ("defragmentation_ns", np.int64),
        ("defragmentation_passes", np.int64),
        ("slab_hits", np.int64),
        ("allocations", np.int64),
        ("cache_hits", np.int64),
        ("cache_lookups", np.int64),
        ("in_bytes", np.int64),
        ("out_bytes", np.int64),
        ("batches", np.int64),
        ("launches", np.int64),
        ("transfer_ns", np.int64),
        ("busy_ns", np.int64),
        ("transfer_in_ms", np.float64),
        ("compute_ms", np.float64),
        ("transfer_out_ms", np.float64),
    ]
)
"""Figures of a device worker, each of 8 bytes, so that none is read half written;
not a number where there is none.

Counts are since the worker began; `block_bytes_wanted` alone is written by the executor.
`*_ms` are 99 % quantiles of the stages of its latest batches.
"""


class Board:
    """One record of FIGURES, inherited by fork; whoever dies leaves nothing behind."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, FIGURES.itemsize)
        self._record: NDArray[np.void] = np.frombuffer(self._memory, FIGURES, 1)

    def write(self, **figures: float) -> None:
        """Set some figures."""
        for name, value in figures.items():
            self._record[name] = value

    def read(self, name: str) -> float:
        """One figure."""
        return float(self._record[name][0])

    def count(self, name: str) -> int:
        """One figure that is a whole number."""
        return int(self._record[name][0])

    def count_up(self, name: str) -> None:
        """Add one to a figure that this process alone writes."""
        self._record[name] += 1

    def clear(self) -> None:
        """Forget a worker that has ended, but not what is wanted of the next."""
        wanted = self.count("block_bytes_wanted")
        self._record[...] = 0
        self.write(block_bytes_wanted=wanted)
