"""The backends at hand: compiled loops for CPUs, and any module that speaks numpy's language."""

from __future__ import annotations

import math
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from controller.errors import PlugInError
from controller.workloads.backend import Backend

CACHE_LINE_BYTES = 64


def aligned_zeros(shape: int | tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Zeros that begin on a cache line: a SIMD load that straddles two costs twice the time."""
    wanted = np.dtype(dtype).itemsize * math.prod((shape,) if isinstance(shape, int) else shape)
    raw = np.zeros(wanted + CACHE_LINE_BYTES, dtype=np.uint8)
    start = -raw.ctypes.data % CACHE_LINE_BYTES
    return raw[start : start + wanted].view(dtype).reshape(shape)


def numpy_backend() -> Backend:
    """The CPU: scipy's transforms and loops compiled by numba, which release the GIL."""
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
