"""The inner loops as whole-array operations, for GPUs: thousands of streams, few launches."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from controller.workloads.arrays import DoubleArray, FloatArray, IntArray
from controller.workloads.backend import LANES, BiquadBank


def mix_spectra(
    xp: ModuleType,
    spectra: Any,
    slots: IntArray,
    delay_line: FloatArray,
    newest: IntArray,
    filters: FloatArray,
    filter_of_slot: IntArray,
) -> Any:
    """See `SpectralMixer`: one gather of the rings in order of age, one multiply, one sum."""
    partitions, tiles = delay_line.shape[1:3]
    bins = spectra.shape[1]
    head = (newest[slots] + 1) % partitions
    newest[slots] = head
    padded = xp.pad(spectra, ((0, 0), (0, tiles * LANES - bins))).reshape(-1, tiles, LANES)
    delay_line[slots, head, :, 0] = padded.real
    delay_line[slots, head, :, 1] = padded.imag
    by_age = (head[:, None] - xp.arange(partitions)) % partitions
    past = delay_line[slots[:, None], by_age][:, :, :, None]
    response = filters[filter_of_slot[slots]]
    real, imag = past[..., 0, :], past[..., 1, :]
    response_real, response_imag = response[..., 0, :], response[..., 1, :]
    bus_real = (real * response_real - imag * response_imag).sum(axis=(0, 1))
    bus_imag = (real * response_imag + imag * response_real).sum(axis=(0, 1))
    bus = (bus_real + 1j * bus_imag).swapaxes(0, 1)
    return bus.reshape(2, tiles * LANES)[:, :bins]


def biquad_bank(
    xp: ModuleType, fft: ModuleType, coefficients: DoubleArray, period_frames: int
) -> BiquadBank:
    """See `BiquadBank`: a recursion has no parallel form in time, but a block of it has.

    With state s, input x and one step  s' = A s + B x,  y = C s + D x,  a whole block is
    y = (C A^t) s + h * x  and  s' = A^P s + [A^(P-1) B ... B] x  (block state-space form,
    Barnes and Shinnaka 1980): products of small matrices and one convolution.
    """
    operators = [_block_operators(cascade, period_frames) for cascade in _on_host(coefficients)]
    ringing, response, advance, inflow = (np.stack(parts) for parts in zip(*operators, strict=True))
    spectrum = fft.rfft(xp.asarray(response, dtype=xp.float32), n=2 * period_frames)
    device = (xp.asarray(ringing), spectrum, xp.asarray(advance), xp.asarray(inflow))
    return partial(_run_bank, xp, fft, device)


def _on_host(array: Any) -> DoubleArray:
    host: DoubleArray = array.get() if hasattr(array, "get") else np.asarray(array)
    return host


def _run_bank(
    xp: ModuleType,
    fft: ModuleType,
    operators: tuple[Any, Any, Any, Any],
    blocks: FloatArray,
    slots: IntArray,
    state: DoubleArray,
) -> Any:
    ringing, response, advance, inflow = (operator[slots] for operator in operators)
    frames = blocks.shape[1]
    past = state[slots].reshape(len(slots), -1, 1)
    forced = fft.irfft(fft.rfft(blocks, n=2 * frames) * response, n=2 * frames)[:, :frames]
    output = (ringing @ past)[..., 0] + forced
    state[slots] = (advance @ past + inflow @ blocks[..., None]).reshape(len(slots), -1, 2)
    return output.sum(axis=0).astype(xp.float32)


def _block_operators(
    cascade: DoubleArray, frames: int
) -> tuple[DoubleArray, DoubleArray, DoubleArray, DoubleArray]:
    """Step the cascade from each unit state, and from a unit impulse, in double precision.

    Returns C A^t (frames, states), h (frames,), A^P (states, states) and the inflow
    (states, frames) of one cascade; states are ordered section by section.
    """
    sections = cascade.shape[0]
    states = 2 * sections
    state = np.zeros((states + 1, sections, 2))
    state[:states] = np.eye(states).reshape(states, sections, 2)
    outputs = np.empty((states + 1, frames))
    inflow = np.empty((states, frames))
    for t in range(frames):
        impulse = np.where(np.arange(states + 1) == states, float(t == 0), 0.0)
        outputs[:, t] = _step(cascade, impulse, state)
        inflow[:, frames - 1 - t] = state[states].ravel()
    advance = state[:states].reshape(states, states).T
    return outputs[:states].T, outputs[states], advance, inflow


def _step(cascade: Any, sample: Any, state: Any) -> Any:
    for j, (b0, b1, b2, a1, a2) in enumerate(cascade):
        output = b0 * sample + state[:, j, 0]
        state[:, j, 0] = b1 * sample - a1 * output + state[:, j, 1]
        state[:, j, 1] = b2 * sample - a2 * output
        sample = output
    return sample
