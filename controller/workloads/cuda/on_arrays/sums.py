"""Sums over streams, by chunks and then over chunks: their order is always the same."""

from __future__ import annotations

import numpy as np

from controller.workloads.arrays import FloatArray
from controller.workloads.cuda.on_arrays.arena import LongArray, used_rows


def sum_partials(partial: FloatArray, total: FloatArray, chunks: int, size: int) -> None:
    """Set `total` (size) to the sum of `partial` (chunks, size)."""
    np.sum(partial.reshape(-1, size)[:chunks], axis=0, out=total.reshape(-1)[:size])


def sum_streams(
    rows: LongArray,
    blocks: FloatArray,
    partial: FloatArray,
    n: int,
    period: int,
    rows_per_chunk: int,
) -> None:
    """Set `partial` (chunks, period) to the sum of each chunk's used rows of `blocks`."""
    for chunk, first in enumerate(range(0, n, rows_per_chunk)):
        used = used_rows(rows, first, min(n, first + rows_per_chunk))
        partial[chunk, :period] = blocks[used].sum(axis=0)


def both_ears(mono: FloatArray, bus: FloatArray, period: int) -> None:
    """Set both rows of `bus` (2, period) to `mono` (period)."""
    bus[:, :period] = mono[:period]
