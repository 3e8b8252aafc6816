"""Magnitudes of spectra, and what they tell; see `fft.SpectralAnalysis` and `spectrogram`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.workloads.cuda.layout import FLOAT_BYTES, MEASURES, PAST_BYTES
from controller.workloads.cuda.on_arrays.arena import Arena, LongArray, runs, used_rows
from controller.workloads.fft import SILENCE_DBFS
from controller.workloads.short_time_spectrum import BINS, WINDOW_FRAMES
from controller.workloads.spectrogram import COLUMNS


def spectral_measures(
    arena: Arena, rows: LongArray, spectra: NDArray[np.complex64], n: int, sample_rate_hz: int
) -> None:
    """Keep the magnitudes of `spectra` (n, 513), and level, centroid and peak, in each state.

    The level is that of the past as it lies in the state, before the window.
    """
    used = used_rows(rows, 0, n)
    at = rows[used] // FLOAT_BYTES
    recent = runs(arena, np.float32, WINDOW_FRAMES)[at]
    found = np.empty((len(used), MEASURES), dtype=np.float32)
    magnitudes = np.abs(spectra[used], out=found[:, :BINS])
    frequency_hz = np.arange(BINS, dtype=np.float32) * (sample_rate_hz / WINDOW_FRAMES)
    power = 2.0 * np.einsum("nt,nt->n", recent, recent) / WINDOW_FRAMES
    total = np.maximum(magnitudes.sum(axis=1), np.finfo(np.float32).tiny)
    found[:, BINS] = 10.0 * np.log10(np.maximum(power, 10.0 ** (SILENCE_DBFS / 10.0)))
    found[:, BINS + 1] = np.einsum("nk,k->n", magnitudes, frequency_hz) / total
    found[:, BINS + 2] = frequency_hz[magnitudes.argmax(axis=1)]
    runs(arena, np.float32, MEASURES)[at + PAST_BYTES // FLOAT_BYTES] = found


def magnitude_column(
    arena: Arena, rows: LongArray, step: LongArray, spectra: NDArray[np.complex64], n: int
) -> None:
    """Set column step % 128 of each row's spectrogram to the magnitudes of `spectra` (n, 513)."""
    used = used_rows(rows, 0, n)
    column = PAST_BYTES // FLOAT_BYTES + int(step[0]) % COLUMNS * BINS
    runs(arena, np.float32, BINS)[rows[used] // FLOAT_BYTES + column] = np.abs(spectra[used])
