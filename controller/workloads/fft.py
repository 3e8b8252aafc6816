"""Spectral analysis: how loud each stream is, how bright, and where its energy peaks."""

from __future__ import annotations

from dataclasses import dataclass

from controller.workloads.arrays import FloatArray, IntArray
from controller.workloads.backend import Backend
from controller.workloads.short_time_spectrum import BINS, ShortTimeSpectrum, dry_bus
from controller.workloads.workload import WorkloadSettings

SILENCE_DBFS = -120.0


@dataclass(frozen=True, slots=True)
class SpectralMeasures:
    """Measures of a stream at a moment.

    `level_dbfs` is the RMS level where a full-scale sinusoid is 0 (AES17); `centroid_hz` the mean
    frequency weighted by magnitude; `peak_hz` the centre of the strongest bin (46.9 Hz wide at
    48 kHz).
    """

    level_dbfs: float
    centroid_hz: float
    peak_hz: float


class SpectralAnalysis:
    """A windowed transform of the last 1024 samples of each stream, and what it tells.

    `magnitudes` (slots, 513), `level_dbfs`, `centroid_hz` and `peak_hz` (slots,) hold the
    latest of each slot; of a silent slot only the level means anything, so ask `measures`.
    """

    def __init__(self, settings: WorkloadSettings, backend: Backend) -> None:
        xp, slots = backend.xp, settings.slots
        self._backend = backend
        self._spectrum = ShortTimeSpectrum(settings, backend)
        self.memory_blocks = self._spectrum.memory_blocks
        self.magnitudes = xp.zeros((slots, BINS), dtype=xp.float32)
        self.level_dbfs = xp.full(slots, SILENCE_DBFS, dtype=xp.float32)
        self.centroid_hz = xp.zeros(slots, dtype=xp.float32)
        self.peak_hz = xp.zeros(slots, dtype=xp.float32)

    def reset(self, slots: IntArray) -> None:
        """Forget what `slots` sounded like."""
        self._spectrum.reset(slots)
        self.magnitudes[slots] = 0.0
        self.level_dbfs[slots] = SILENCE_DBFS

    def process(self, blocks: FloatArray, slots: IntArray) -> FloatArray:
        """Measure one block of these streams and pass them on dry; see `Workload.process`."""
        xp, frequency_hz = self._backend.xp, self._spectrum.frequency_hz
        recent, magnitudes = self._spectrum.advance(blocks, slots)
        # Sums not by BLAS, whose threads would wake on the other processors.
        power = 2.0 * xp.einsum("nt,nt->n", recent, recent) / recent.shape[1]
        total = xp.maximum(magnitudes.sum(axis=1), xp.finfo(xp.float32).tiny)
        self.magnitudes[slots] = magnitudes
        self.level_dbfs[slots] = 10.0 * xp.log10(xp.maximum(power, 10.0 ** (SILENCE_DBFS / 10.0)))
        self.centroid_hz[slots] = xp.einsum("nk,k->n", magnitudes, frequency_hz) / total
        self.peak_hz[slots] = frequency_hz[magnitudes.argmax(axis=1)]
        return dry_bus(self._backend, blocks)

    def measures(self, slot: int) -> SpectralMeasures | None:
        """The latest measures of a slot, or None while it is silent: silence has no pitch."""
        level_dbfs = float(self.level_dbfs[slot])
        if level_dbfs <= SILENCE_DBFS:
            return None
        return SpectralMeasures(
            level_dbfs, float(self.centroid_hz[slot]), float(self.peak_hz[slot])
        )
