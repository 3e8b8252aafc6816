"""Arrays and where they live: one workload code runs on a CPU (numpy) or a GPU (cupy)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from controller.workloads.arrays import DoubleArray, FloatArray, IntArray

LANES = 16
"""Bins that one step takes: a cache line, and one AVX-512 register, of float32."""


class SpectralMixer(Protocol):
    """Frequency-domain convolution of many streams, summed to one stereo spectrum.

    Spectra are held in tiles of 16 bins, 16 real parts before 16 imaginary ones, as SIMD takes
    them; see `tiled`.
    """

    def __call__(
        self,
        spectra: Any,
        slots: IntArray,
        delay_line: FloatArray,
        newest: IntArray,
        filters: FloatArray,
        filter_of_slot: IntArray,
    ) -> Any:
        """Push one spectrum per stream into its delay line; return the bus, (2, bins) complex64.

        `spectra`: (n, bins) complex64; `delay_line`: (slots, partitions, tiles, 2, 16), a
        ring whose latest entry is `newest` (slots,); `filters`: (f, partitions, tiles, 2 ears,
        2, 16); `filter_of_slot`: (slots,) into `filters`.
        """
        ...


class BiquadBank(Protocol):
    """A cascade of biquads per slot (transposed direct form II), its coefficients bound."""

    def __call__(self, blocks: FloatArray, slots: IntArray, state: DoubleArray) -> FloatArray:
        """Filter each block through its slot's cascade and return the sum over the streams.

        `blocks`: (n, period_frames); `state`: (slots, sections, 2) float64, updated in place.
        Returns (period_frames,) float32.
        """
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """An array module with its transforms, and the two inner loops that deserve more than arrays.

    `biquad_bank(coefficients, period_frames)` binds coefficients (slots, sections, 5), in the
    order b0 b1 b2 a1 a2 with a0 = 1. `zeros(shape, dtype)` places state where loops
    are fastest. `sparse(matrix)` is a matrix that is multiplied by its non-zero entries alone, on
    one thread.
    """

    name: str
    xp: ModuleType
    zeros: Callable[..., Any]
    rfft: Callable[..., Any]
    irfft: Callable[..., Any]
    sparse: Callable[[Any], Any]
    mix_spectra: SpectralMixer
    biquad_bank: Callable[[DoubleArray, int], BiquadBank]


def tiled(spectra: Any) -> FloatArray:
    """Cut complex spectra (..., bins) into tiles (..., tiles, 2, 16), zero-padded, on the host."""
    bins = spectra.shape[-1]
    tiles = -(-bins // LANES)
    padded = np.zeros((*spectra.shape[:-1], tiles * LANES), dtype=np.complex64)
    padded[..., :bins] = spectra
    cut = padded.reshape(*spectra.shape[:-1], tiles, LANES)
    return np.stack((cut.real, cut.imag), axis=-2)
