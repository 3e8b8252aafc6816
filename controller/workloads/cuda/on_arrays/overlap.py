"""Frames of two periods, as overlap-save transforms them, and the half of them that is sound."""

from __future__ import annotations

import numpy as np

from controller.workloads.arrays import FloatArray
from controller.workloads.cuda.layout import FLOAT_BYTES
from controller.workloads.cuda.on_arrays.arena import Arena, LongArray, runs, used_rows


def overlap_frames(
    arena: Arena, rows: LongArray, blocks: FloatArray, frames: FloatArray, n: int, period: int
) -> None:
    """Set `frames` (n, 2 * period) to each row's previous block and this one, and keep this one.

    `blocks`: (n, period). Frames of rows that are not used are zeros.
    """
    used = used_rows(rows, 0, n)
    previous, at = runs(arena, np.float32, period), rows[used] // FLOAT_BYTES
    frames[:n][rows[:n] < 0] = 0.0
    frames[used, :period] = previous[at]
    frames[used, period:] = blocks[used]
    previous[at] = blocks[used]


def overlap_tail(frames: FloatArray, bus: FloatArray, period: int) -> None:
    """Set `bus` (2, period) to the second halves of `frames` (2, 2 * period), over 2 * period.

    The inverse transform that made the frames is not normalised.
    """
    np.multiply(frames[:, period:], np.float32(1.0 / (2 * period)), out=bus)
