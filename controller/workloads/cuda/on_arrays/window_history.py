"""The last 1024 samples of each row, windowed."""

from __future__ import annotations

import numpy as np

from controller.workloads.arrays import FloatArray
from controller.workloads.cuda.layout import FLOAT_BYTES
from controller.workloads.cuda.on_arrays.arena import Arena, LongArray, runs, used_rows
from controller.workloads.short_time_spectrum import WINDOW_FRAMES


def window_history(
    arena: Arena,
    rows: LongArray,
    step: LongArray,
    blocks: FloatArray,
    window: FloatArray,
    windowed: FloatArray,
    n: int,
    period: int,
) -> None:
    """Push `blocks` (n, period) into each row's ring, and window its last 1024 samples.

    `windowed` (n, 1024) holds them in order of time, zeros where a row is not used. The block of
    this step begins at (step * period) % 1024 of the ring.
    """
    used = used_rows(rows, 0, n)
    at = rows[used] // FLOAT_BYTES
    end = (int(step[0]) + 1) * period % WINDOW_FRAMES
    _push(arena, at, end, blocks[used, -min(period, WINDOW_FRAMES) :])
    ring, older = runs(arena, np.float32, WINDOW_FRAMES)[at], WINDOW_FRAMES - end
    windowed[:n][rows[:n] < 0] = 0.0
    windowed[used, :older] = ring[:, end:] * window[:older]
    windowed[used, older:] = ring[:, :end] * window[older:]


def _push(arena: Arena, rings: LongArray, end: int, newest: FloatArray) -> None:
    """Write the newest samples into the rings, so that they stop before `end`."""
    length = newest.shape[1]
    begin = (end - length) % WINDOW_FRAMES
    unbroken = min(length, WINDOW_FRAMES - begin)
    runs(arena, np.float32, unbroken)[rings + begin] = newest[:, :unbroken]
    runs(arena, np.float32, length - unbroken)[rings] = newest[:, unbroken:]
