"""Impulse responses as `mix_spectra` takes them from the arena."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from controller.workloads.arrays import FloatArray
from controller.workloads.workload import blocks_spanning


def response_spectra(responses: FloatArray, period_frames: int) -> NDArray[np.complex64]:
    """Cut impulse responses into periods and transform each, zero-padded to two periods.

    `responses`: (f, 2, taps). Returns (f, partitions, 2 ears, bins), where bins = period + 1.
    """
    filters, ears, taps = responses.shape
    partitions = blocks_spanning(taps, period_frames)
    padded = np.zeros((filters, ears, partitions * period_frames), dtype=np.float32)
    padded[..., :taps] = responses
    cut = padded.reshape(filters, ears, partitions, period_frames).swapaxes(1, 2)
    spectra: NDArray[np.complex64] = fft.rfft(cut, n=2 * period_frames)
    return np.ascontiguousarray(spectra)
