"""Equalisation: a cascade of biquads per stream, as a mixing desk has on each channel."""

from __future__ import annotations

import math

import numpy as np

from controller.workloads.arrays import DoubleArray, FloatArray, IntArray
from controller.workloads.backend import Backend
from controller.workloads.workload import WorkloadSettings, blocks_spanning

DECAY_S = 0.1
"""Seconds until the slowest default section (a shelf at 60 Hz) has decayed to -120 dB."""


class BiquadCascade:
    """A four-band equaliser per slot: low shelf, two peaks, high shelf.

    Replaying `memory_blocks` blocks restores a slot to within -120 dB of its input, since an IIR
    filter never forgets exactly. Both ears hear the same sum.
    """

    def __init__(self, settings: WorkloadSettings, backend: Backend) -> None:
        xp = backend.xp
        coefficients = equalisers(settings.slots, settings.sample_rate_hz)
        decay_frames = math.ceil(DECAY_S * settings.sample_rate_hz)
        self.memory_blocks = blocks_spanning(decay_frames, settings.period_frames)
        self.coefficients = coefficients
        self._xp = xp
        self._bank = backend.biquad_bank(coefficients, settings.period_frames)
        self._state = xp.zeros((settings.slots, coefficients.shape[1], 2), dtype=xp.float64)

    def reset(self, slots: IntArray) -> None:
        """Bring the filters of `slots` to rest."""
        self._state[slots] = 0.0

    def process(self, blocks: FloatArray, slots: IntArray) -> FloatArray:
        """Filter one block of these streams; see `Workload.process`."""
        mono = self._bank(blocks, slots, self._state)
        bus: FloatArray = self._xp.stack((mono, mono))
        return bus


def equalisers(slots: int, sample_rate_hz: int) -> DoubleArray:
    """A different, gentle equaliser for each slot: (slots, 4, 5), b0 b1 b2 a1 a2.

    Frequencies stay below 0.4 of the sample rate, whatever that is.
    """
    ceiling_hz = 0.4 * sample_rate_hz
    return np.stack([_equaliser(slot, sample_rate_hz, ceiling_hz) for slot in range(slots)])


def _equaliser(slot: int, sample_rate_hz: int, ceiling_hz: float) -> DoubleArray:
    # Steps of the golden ratio give each slot its own setting without any two being alike.
    place = (slot * 0.6180339887) % 1.0
    rate = float(sample_rate_hz)
    sections = (
        low_shelf(60.0 + 120.0 * place, 6.0 - 9.0 * place, rate),
        peaking(min(300.0 * 4.0**place, ceiling_hz), 5.0 - 10.0 * place, 1.0, rate),
        peaking(min(1500.0 * 4.0**place, ceiling_hz), 10.0 * place - 5.0, 1.4, rate),
        high_shelf(min(8000.0 + 4000.0 * place, ceiling_hz), 4.0 - 8.0 * place, rate),
    )
    return np.array(sections, dtype=np.float64)


def peaking(centre_hz: float, gain_db: float, q: float, sample_rate_hz: float) -> list[float]:
    """A bell of `gain_db` at `centre_hz`; Bristow-Johnson, "Audio EQ Cookbook" (W3C, 2021)."""
    amplitude = 10.0 ** (gain_db / 40.0)
    omega = 2.0 * math.pi * centre_hz / sample_rate_hz
    alpha, cosine = math.sin(omega) / (2.0 * q), math.cos(omega)
    b = (1.0 + alpha * amplitude, -2.0 * cosine, 1.0 - alpha * amplitude)
    a = (1.0 + alpha / amplitude, -2.0 * cosine, 1.0 - alpha / amplitude)
    return _normalised(b, a)


def low_shelf(corner_hz: float, gain_db: float, sample_rate_hz: float) -> list[float]:
    """A shelf of `gain_db` below `corner_hz`, slope 1; the same cookbook."""
    return _shelf(corner_hz, gain_db, sample_rate_hz, side=-1.0)


def high_shelf(corner_hz: float, gain_db: float, sample_rate_hz: float) -> list[float]:
    """A shelf of `gain_db` above `corner_hz`, slope 1; the same cookbook."""
    return _shelf(corner_hz, gain_db, sample_rate_hz, side=1.0)


def _shelf(corner_hz: float, gain_db: float, sample_rate_hz: float, side: float) -> list[float]:
    """The two shelves differ only in the sign of each cosine (`side`)."""
    amplitude = 10.0 ** (gain_db / 40.0)
    omega = 2.0 * math.pi * corner_hz / sample_rate_hz
    cosine = side * math.cos(omega)
    slope = math.sqrt(2.0 * amplitude) * math.sin(omega)
    above, below = amplitude + 1.0, amplitude - 1.0
    b = (
        amplitude * (above + below * cosine + slope),
        -2.0 * side * amplitude * (below + above * cosine),
        amplitude * (above + below * cosine - slope),
    )
    a = (
        above - below * cosine + slope,
        2.0 * side * (below - above * cosine),
        above - below * cosine - slope,
    )
    return _normalised(b, a)


def _normalised(b: tuple[float, ...], a: tuple[float, ...]) -> list[float]:
    return [value / a[0] for value in (*b, *a[1:])]
