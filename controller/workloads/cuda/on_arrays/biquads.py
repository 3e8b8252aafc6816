"""A cascade of biquads for each row, with coefficients and state of its own."""

from __future__ import annotations

import numpy as np

from controller.workloads.arrays import FloatArray
from controller.workloads.cuda.layout import DOUBLE_BYTES
from controller.workloads.cuda.on_arrays.arena import Arena, LongArray, runs, used_rows


def biquad_bank(
    arena: Arena,
    rows: LongArray,
    blocks: FloatArray,
    partial: FloatArray,
    n: int,
    period: int,
    sections: int,
    rows_per_chunk: int,
) -> None:
    """Filter `blocks` (n, period), and set `partial` (chunks, period) to each chunk's sum.

    It recurs in double precision, transposed direct form II, by the loop compiled for CPUs.
    """
    from controller.workloads import compiled_kernels  # loads numba

    coefficients = runs(arena, np.float64, sections * 5)
    states = runs(arena, np.float64, sections * 2)
    for chunk, first in enumerate(range(0, n, rows_per_chunk)):
        used = used_rows(rows, first, min(n, first + rows_per_chunk))
        at = rows[used] // DOUBLE_BYTES
        bank = compiled_kernels.biquad_bank(coefficients[at].reshape(-1, sections, 5), period)
        state = states[at + sections * 5].reshape(-1, sections, 2)
        partial[chunk, :period] = bank(blocks[used], np.arange(len(used)), state)
        states[at + sections * 5] = state.reshape(-1, sections * 2)
