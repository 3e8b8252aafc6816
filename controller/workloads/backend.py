"""Where the arrays live: the same workload code runs on a CPU (numpy) or a GPU (cupy)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from controller.errors import PlugInError
from controller.workloads.workload import DoubleArray, FloatArray, IntArray

LANES = 16
"""Bins that one step takes: a cache line, and one AVX-512 register, of float32."""

CACHE_LINE_BYTES = 64


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

        `spectra`: (n, bins) complex64; `delay_line`: (capacity, partitions, tiles, 2, 16), a
        ring whose latest entry is `newest` (capacity,); `filters`: (f, partitions, tiles, 2 ears,
        2, 16); `filter_of_slot`: (capacity,) into `filters`.
        """
        ...


class BiquadBank(Protocol):
    """A cascade of biquads per slot (transposed direct form II), its coefficients bound."""

    def __call__(self, blocks: FloatArray, slots: IntArray, state: DoubleArray) -> FloatArray:
        """Filter each block through its slot's cascade and return the sum over the streams.

        `blocks`: (n, period_frames); `state`: (capacity, sections, 2) float64, updated in place.
        Returns (period_frames,) float32.
        """
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """An array module with its transforms, and the two inner loops that deserve more than arrays.

    `biquad_bank(coefficients, period_frames)` binds coefficients (capacity, sections, 5), in the
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


def aligned_zeros(shape: int | tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Zeros that begin on a cache line: a SIMD load that straddles two costs twice the time."""
    wanted = np.dtype(dtype).itemsize * math.prod((shape,) if isinstance(shape, int) else shape)
    raw = np.zeros(wanted + CACHE_LINE_BYTES, dtype=np.uint8)
    start = -raw.ctypes.data % CACHE_LINE_BYTES
    return raw[start : start + wanted].view(dtype).reshape(shape)


def numpy_backend() -> Backend:
    """The CPU: scipy's transforms and loops compiled by numba, which let go of the GIL."""
    from scipy import fft, sparse

    from controller.workloads import compiled_kernels

    return Backend(
        name="numpy",
        xp=np,
        zeros=aligned_zeros,
        rfft=fft.rfft,
        irfft=fft.irfft,
        sparse=sparse.csr_matrix,
        mix_spectra=compiled_kernels.mix_spectra,
        biquad_bank=compiled_kernels.biquad_bank,
    )


def array_backend(name: str, xp: ModuleType, fft: ModuleType, sparse: ModuleType) -> Backend:
    """A backend of whole-array operations only, for any module that speaks numpy's language."""
    from controller.workloads import array_kernels

    return Backend(
        name=name,
        xp=xp,
        zeros=xp.zeros,
        rfft=fft.rfft,
        irfft=fft.irfft,
        sparse=sparse.csr_matrix,
        mix_spectra=partial(array_kernels.mix_spectra, xp),
        biquad_bank=partial(array_kernels.biquad_bank, xp, fft),
    )


def cupy_backend() -> Backend:
    """The GPU. Raises PlugInError where CuPy is not installed or finds no device."""
    known = ("numpy", "cupy")
    try:
        import cupy
        from cupyx.scipy import fft, sparse
    except ImportError:
        why = "CuPy is not installed; pip install 'kapellmeister[gpu-cuda12]'"
        raise PlugInError("backend", "cupy", why, known) from None
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        why = f"no CUDA device can be used ({error}); check nvidia-smi"
        raise PlugInError("backend", "cupy", why, known) from None
    return array_backend("cupy", cupy, fft, sparse)
