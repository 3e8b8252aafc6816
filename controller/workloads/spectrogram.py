"""Spectrogram: the recent course of each stream's spectrum."""

from __future__ import annotations

from controller.workloads.arrays import FloatArray, IntArray
from controller.workloads.backend import Backend
from controller.workloads.short_time_spectrum import BINS, ShortTimeSpectrum, dry_bus
from controller.workloads.workload import WorkloadSettings

COLUMNS = 128


class Spectrogram:
    """A short-time Fourier transform, one column of magnitudes per block.

    `memory_blocks` restores the newest column; the 127 before it are drawn anew as sound goes on.
    """

    def __init__(self, settings: WorkloadSettings, backend: Backend) -> None:
        xp = backend.xp
        self._backend = backend
        self._spectrum = ShortTimeSpectrum(settings, backend)
        self.memory_blocks = self._spectrum.memory_blocks
        self._columns = xp.zeros((settings.slots, COLUMNS, BINS), dtype=xp.float32)
        self._newest = xp.zeros(settings.slots, dtype=xp.intp)

    def reset(self, slots: IntArray) -> None:
        """Clear the columns of `slots`."""
        self._spectrum.reset(slots)
        self._columns[slots] = 0.0

    def process(self, blocks: FloatArray, slots: IntArray) -> FloatArray:
        """Add one column to each of these streams and pass them on dry; see `Workload.process`."""
        _, magnitudes = self._spectrum.advance(blocks, slots)
        newest = (self._newest[slots] + 1) % COLUMNS
        self._newest[slots] = newest
        self._columns[slots, newest] = magnitudes
        return dry_bus(self._backend, blocks)

    def columns(self, slot: int) -> FloatArray:
        """The last 128 columns of a slot, oldest first: (128, 513) magnitudes."""
        rolled: FloatArray = self._backend.xp.roll(
            self._columns[slot], -int(self._newest[slot]) - 1, axis=0
        )
        return rolled
