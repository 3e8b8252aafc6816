"""The inner loops for CPUs, compiled by numba: without the GIL, SIMD over bins or over streams."""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import complex64, float32, float64, intp, njit, types, void

from controller.workloads.backend import BiquadBank
from controller.workloads.workload import DoubleArray, FloatArray, IntArray

LANES = 16
"""Streams that are filtered side by side: enough to hide the latency of each recursion."""

SMALLEST_STATE = 1e-30
"""Filter state below this is cleared: denormal numbers slow a CPU a hundredfold."""


def _read_only(dtype: types.Type, dimensions: int) -> types.Array:
    return types.Array(dtype, dimensions, "C", readonly=True)


# Signatures are explicit so that nothing is ever compiled on the thread that plays sound.
_MIX_SPECTRA = complex64[:, ::1](
    _read_only(complex64, 2),
    _read_only(intp, 1),
    float32[:, :, :, ::1],
    intp[::1],
    _read_only(float32, 5),
    _read_only(intp, 1),
)
_FILTER_STREAMS = void(
    _read_only(float64, 3),
    float32[::1],
    _read_only(float32, 2),
    _read_only(intp, 1),
    float64[:, :, ::1],
)


@njit(_MIX_SPECTRA, nogil=True, fastmath=True, cache=True)
def mix_spectra(
    spectra: np.ndarray,
    slots: IntArray,
    delay_line: FloatArray,
    newest: IntArray,
    filters: FloatArray,
    filter_of_slot: IntArray,
) -> np.ndarray:
    """See `SpectralMixer`: each inner loop runs over the bins of one partition."""
    partitions, width = delay_line.shape[1], delay_line.shape[3]
    bins = spectra.shape[1]
    bus = np.zeros((2, 2, width), dtype=np.float32)
    left_real, left_imag, right_real, right_imag = bus[0, 0], bus[0, 1], bus[1, 0], bus[1, 1]
    for i in range(slots.size):
        slot = slots[i]
        head = (newest[slot] + 1) % partitions
        newest[slot] = head
        for k in range(bins):
            delay_line[slot, head, 0, k] = spectra[i, k].real
            delay_line[slot, head, 1, k] = spectra[i, k].imag
        for p in range(partitions):
            x = delay_line[slot, (head - p) % partitions]
            real, imag = x[0], x[1]
            left, right = filters[filter_of_slot[slot], p, 0], filters[filter_of_slot[slot], p, 1]
            lr, li, rr, ri = left[0], left[1], right[0], right[1]
            for k in range(width):
                left_real[k] += real[k] * lr[k] - imag[k] * li[k]
                left_imag[k] += real[k] * li[k] + imag[k] * lr[k]
                right_real[k] += real[k] * rr[k] - imag[k] * ri[k]
                right_imag[k] += real[k] * ri[k] + imag[k] * rr[k]
    mixed = np.empty((2, bins), dtype=np.complex64)
    for ear in range(2):
        for k in range(bins):
            mixed[ear, k] = complex(bus[ear, 0, k], bus[ear, 1, k])
    return mixed


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
    c = np.zeros((sections, 5, LANES))
    z = np.zeros((sections, 2, LANES))
    x = np.zeros((frames, LANES))
    total = np.zeros((frames, LANES))
    for first in range(0, streams, LANES):
        used = min(LANES, streams - first)
        x[:, used:] = 0.0
        z[:, :, used:] = 0.0
        for lane in range(used):
            slot = slots[first + lane]
            x[:, lane] = blocks[first + lane]
            c[:, :, lane] = coefficients[slot]
            z[:, :, lane] = state[slot]
        for t in range(frames):
            for j in range(sections):
                for lane in range(LANES):
                    v = x[t, lane]
                    y = c[j, 0, lane] * v + z[j, 0, lane]
                    z[j, 0, lane] = c[j, 1, lane] * v - c[j, 3, lane] * y + z[j, 1, lane]
                    z[j, 1, lane] = c[j, 2, lane] * v - c[j, 4, lane] * y
                    x[t, lane] = y
            for lane in range(LANES):
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
