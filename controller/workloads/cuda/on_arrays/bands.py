"""Columns of pictures: levels of musical bands, extremes of the waveform; see `visualisation`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from controller.workloads.arrays import FloatArray
from controller.workloads.cuda.layout import FLOAT_BYTES, LEVELS_AT, PAST_BYTES
from controller.workloads.cuda.on_arrays.arena import Arena, LongArray, runs, used_rows
from controller.workloads.short_time_spectrum import BINS
from controller.workloads.visualisation import COLUMNS, FLOOR_DB, SPECTROGRAM_ROWS, STEPS_PER_DB

BANDS = SPECTROGRAM_ROWS


def bands_and_levels(
    arena: Arena,
    rows: LongArray,
    step: LongArray,
    blocks: FloatArray,
    spectra: NDArray[np.complex64],
    first_bin: NDArray[np.int32],
    weight_start: NDArray[np.int32],
    weights: FloatArray,
    n: int,
    period: int,
) -> None:
    """Set column step % 480 of each picture by `blocks` (n, period) and `spectra` (n, 513).

    Bands are those of `band_runs.BandRuns`. Levels are half decibels from -127.5 up.
    """
    used = used_rows(rows, 0, n)
    column = int(step[0]) % COLUMNS
    extremes = runs(arena, np.float32, 2)
    at = (rows[used] + PAST_BYTES) // FLOAT_BYTES + 2 * column
    extremes[at, 0] = blocks[used, :period].min(axis=1)
    extremes[at, 1] = blocks[used, :period].max(axis=1)
    found = spectra[used]
    powers = (_matrix(first_bin, weight_start, weights) @ (found.real**2 + found.imag**2).T).T
    decibels = 10.0 * np.log10(powers + np.float32(10.0 ** (FLOOR_DB / 10.0)))
    steps = np.clip((decibels - FLOOR_DB) * STEPS_PER_DB, 0.0, 255.0)
    runs(arena, np.uint8, BANDS)[rows[used] + LEVELS_AT + column * BANDS] = steps.astype(np.uint8)


def _matrix(
    first_bin: NDArray[np.int32], weight_start: NDArray[np.int32], weights: FloatArray
) -> sparse.csr_matrix:
    skipped = np.repeat(first_bin - weight_start[:-1], np.diff(weight_start))
    bins = np.arange(len(skipped), dtype=np.int32) + skipped
    return sparse.csr_matrix((weights[: len(bins)], bins, weight_start), shape=(BANDS, BINS))
