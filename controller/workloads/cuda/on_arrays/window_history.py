"""The last 1024 samples of each row, windowed."""

from __future__ import annotations

import numpy as np

from controller.workloads.arrays import FloatArray
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
    past, at = runs(arena, np.float32, WINDOW_FRAMES), rows[used] // 4
    kept = min(period, WINDOW_FRAMES)
    end = (int(step[0]) + 1) * period % WINDOW_FRAMES
    ring = past[at]
    ring[:, np.arange(end - kept, end) % WINDOW_FRAMES] = blocks[used, period - kept :]
    past[at] = ring
    windowed[:n][rows[:n] < 0] = 0.0
    windowed[used] = np.concatenate((ring[:, end:], ring[:, :end]), axis=1) * window
