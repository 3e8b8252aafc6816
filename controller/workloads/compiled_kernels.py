"""The inner loops for CPUs, compiled by numba: without the GIL, SIMD over bins or over streams."""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import complex64, float32, float64, intp, njit, types, void

from controller.workloads.arrays import DoubleArray, FloatArray, IntArray
from controller.workloads.backend import LANES, BiquadBank

STREAMS_ABREAST = 16
"""Streams that are filtered side by side: enough to hide the latency of each recursion."""

SMALLEST_STATE = 1e-30
"""Magnitude below which filter state is cleared: denormal numbers slow a CPU a hundredfold."""


def _read_only(dtype: types.Type, dimensions: int) -> types.Array:
    return types.Array(dtype, dimensions, "C", readonly=True)


# Signatures are explicit so that nothing is ever compiled on the thread that plays sound.
_MIX_SPECTRA = complex64[:, ::1](
    _read_only(complex64, 2),
    _read_only(intp, 1),
    float32[:, :, :, :, ::1],
    intp[::1],
    _read_only(float32, 6),
    _read_only(intp, 1),
)
_FILTER_STREAMS = void(
    _read_only(float64, 3),
    float32[::1],
    _read_only(float32, 2),
    _read_only(intp, 1),
    float64[:, :, ::1],
)


@njit(nogil=True, fastmath=True, cache=True)
def _push(spectrum: np.ndarray, place: FloatArray) -> None:
    for k in range(spectrum.size):
        at = k // LANES * 2 * LANES + k % LANES
        place[at] = spectrum[k].real
        place[at + LANES] = spectrum[k].imag


@njit(nogil=True, fastmath=True, cache=True)
def _complex_bus(bus: FloatArray, bins: int) -> np.ndarray:
    mixed = np.empty((2, bins), dtype=np.complex64)
    for k in range(bins):
        at = k // LANES * 4 * LANES + k % LANES
        mixed[0, k] = complex(bus[at], bus[at + LANES])
        mixed[1, k] = complex(bus[at + 2 * LANES], bus[at + 3 * LANES])
    return mixed


@njit(_MIX_SPECTRA, nogil=True, fastmath=True, cache=True)
def mix_spectra(
    spectra: np.ndarray,
    slots: IntArray,
    delay_line: FloatArray,
    newest: IntArray,
    filters: FloatArray,
    filter_of_slot: IntArray,
) -> np.ndarray:
    """See `SpectralMixer`: per partition two runs through memory, each step one SIMD register."""
    rows, partitions, tiles = delay_line.shape[:3]
    past = delay_line.reshape(rows, partitions, tiles * 2 * LANES)
    responses = filters.reshape(filters.shape[0], partitions, tiles * 4 * LANES)
    bus = np.zeros(tiles * 4 * LANES, dtype=np.float32)
    for i in range(slots.size):
        slot = slots[i]
        age = (newest[slot] + 1) % partitions
        newest[slot] = age
        _push(spectra[i], past[slot, age])
        for p in range(partitions):
            x, h = past[slot, age], responses[filter_of_slot[slot], p]
            for tile in range(tiles):
                at, to = tile * 2 * LANES, tile * 4 * LANES
                for k in range(LANES):
                    real, imag = x[at + k], x[at + LANES + k]
                    left_real, left_imag = h[to + k], h[to + LANES + k]
                    right_real, right_imag = h[to + 2 * LANES + k], h[to + 3 * LANES + k]
                    bus[to + k] += real * left_real - imag * left_imag
                    bus[to + LANES + k] += real * left_imag + imag * left_real
                    bus[to + 2 * LANES + k] += real * right_real - imag * right_imag
                    bus[to + 3 * LANES + k] += real * right_imag + imag * right_real
            age = age - 1 if age > 0 else partitions - 1
    return _complex_bus(bus, spectra.shape[1])


@njit(nogil=True, fastmath=True, cache=True)
def _keep(z: DoubleArray, state: DoubleArray) -> None:
    for j in range(z.shape[0]):
        for q in range(2):
            state[j, q] = z[j, q] if abs(z[j, q]) > SMALLEST_STATE else 0.0


@njit(_FILTER_STREAMS, nogil=True, fastmath=True, cache=True)
def _filter_streams(
    coefficients: DoubleArray,
    bus: FloatArray,
    blocks: FloatArray,
    slots: IntArray,
    state: DoubleArray,
) -> None:
    streams, frames = blocks.shape
    sections = coefficients.shape[1]
    # Allocated here, so that the compiler knows that they do not overlap and uses SIMD.
    c = np.zeros((sections, 5, STREAMS_ABREAST))
    z = np.zeros((sections, 2, STREAMS_ABREAST))
    x = np.zeros((frames, STREAMS_ABREAST))
    total = np.zeros((frames, STREAMS_ABREAST))
    for first in range(0, streams, STREAMS_ABREAST):
        used = min(STREAMS_ABREAST, streams - first)
        x[:, used:] = 0.0
        z[:, :, used:] = 0.0
        for lane in range(used):
            slot = slots[first + lane]
            x[:, lane] = blocks[first + lane]
            c[:, :, lane] = coefficients[slot]
            z[:, :, lane] = state[slot]
        for t in range(frames):
            for j in range(sections):
                for lane in range(STREAMS_ABREAST):
                    v = x[t, lane]
                    y = c[j, 0, lane] * v + z[j, 0, lane]
                    z[j, 0, lane] = c[j, 1, lane] * v - c[j, 3, lane] * y + z[j, 1, lane]
                    z[j, 1, lane] = c[j, 2, lane] * v - c[j, 4, lane] * y
                    x[t, lane] = y
            for lane in range(STREAMS_ABREAST):
                total[t, lane] += x[t, lane]
        for lane in range(used):
            _keep(z[:, :, lane], state[slots[first + lane]])
    for t in range(frames):
        bus[t] = total[t].sum()


def biquad_bank(coefficients: DoubleArray, period_frames: int) -> BiquadBank:
    """See `BiquadBank`: streams lie side by side in SIMD lanes, since time cannot.

    It recurs in double precision, as near-unit poles lose 40 dB in single, at no cost in time.
    """
    return partial(_run_bank, np.ascontiguousarray(coefficients), period_frames)


def _run_bank(
    coefficients: DoubleArray,
    period_frames: int,
    blocks: FloatArray,
    slots: IntArray,
    state: DoubleArray,
) -> FloatArray:
    bus = np.empty(period_frames, dtype=np.float32)
    _filter_streams(coefficients, bus, blocks, slots, state)
    return bus
