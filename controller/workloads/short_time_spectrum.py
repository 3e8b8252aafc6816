"""The spectrum of the last moments of each stream, which analysis and pictures are made of."""

from __future__ import annotations

import numpy as np

from controller.workloads.arrays import FloatArray, IntArray
from controller.workloads.backend import Backend
from controller.workloads.workload import WorkloadSettings, blocks_spanning

WINDOW_FRAMES = 1024
BINS = WINDOW_FRAMES // 2 + 1


class ShortTimeSpectrum:
    """Keeps the last 1024 samples of each slot and transforms them under a Hann window.

    Magnitudes are scaled so that a sinusoid of amplitude a at the centre of a bin reads a.
    """

    def __init__(self, settings: WorkloadSettings, backend: Backend) -> None:
        xp = backend.xp
        self.memory_blocks = blocks_spanning(
            WINDOW_FRAMES - settings.period_frames, settings.period_frames
        )
        self.frequency_hz = xp.arange(BINS, dtype=xp.float32) * (
            settings.sample_rate_hz / WINDOW_FRAMES
        )
        self._window = xp.asarray(window())
        self._backend = backend
        self._past = xp.zeros((settings.slots, WINDOW_FRAMES), dtype=xp.float32)

    def reset(self, slots: IntArray) -> None:
        """Silence the past of `slots`."""
        self._past[slots] = 0.0

    def advance(self, blocks: FloatArray, slots: IntArray) -> tuple[FloatArray, FloatArray]:
        """Take one block each; return the last samples, (n, 1024), and magnitudes, (n, 513)."""
        xp = self._backend.xp
        recent = xp.concatenate((self._past[slots], blocks), axis=1)[:, -WINDOW_FRAMES:]
        self._past[slots] = recent
        return recent, xp.abs(self._backend.rfft(recent * self._window))


def window() -> FloatArray:
    """The Hann window, (1024,) float32, scaled so that a sinusoid's magnitude is its amplitude."""
    phase = 2.0 * np.pi * np.arange(WINDOW_FRAMES) / WINDOW_FRAMES
    hann = 0.5 - 0.5 * np.cos(phase)
    scaled: FloatArray = (hann * (2.0 / hann.sum())).astype(np.float32)
    return scaled


def dry_bus(backend: Backend, blocks: FloatArray) -> FloatArray:
    """The sound of streams that are only looked at: themselves, alike in both ears."""
    mono = blocks.sum(axis=0)
    bus: FloatArray = backend.xp.stack((mono, mono))
    return bus
