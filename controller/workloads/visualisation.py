"""Visualisation: a picture of each stream, its waveform above its spectrogram."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.workloads.arrays import FloatArray, IntArray
from controller.workloads.backend import Backend
from controller.workloads.pictures import png
from controller.workloads.pictures.colour import colour_map
from controller.workloads.short_time_spectrum import WINDOW_FRAMES, ShortTimeSpectrum, dry_bus
from controller.workloads.workload import WorkloadSettings

COLUMNS = 480
SPECTROGRAM_ROWS = 160
WAVEFORM_ROWS = 72
GAP_ROWS = 4
PIXELS_PER_CELL = 2
LOWEST_HZ, HIGHEST_HZ = 100.0, 16000.0
TILT_HZ = 1000.0
STEPS_PER_DB = 2
FLOOR_DB = -127.5
RANGE_DB = 66.0
"""Decibels between the loudest cell of a picture, drawn lightest, and the dark."""

Image = NDArray[np.uint8]


class Visualisation:
    """A column per block and stream: extremes of the waveform, and levels on a musical scale.

    Pictures are drawn when asked for. `memory_blocks` restores the newest column; the 479 before
    it are drawn anew as sound goes on.
    """

    def __init__(self, settings: WorkloadSettings, backend: Backend) -> None:
        xp, slots = backend.xp, settings.slots
        self._backend = backend
        self._spectrum = ShortTimeSpectrum(settings, backend)
        self.memory_blocks = self._spectrum.memory_blocks
        self._bands = backend.sparse(xp.asarray(musical_bands(settings.sample_rate_hz).T))
        self._levels = xp.zeros((slots, COLUMNS, SPECTROGRAM_ROWS), dtype=xp.uint8)
        self._extremes = xp.zeros((slots, COLUMNS, 2), dtype=xp.float32)
        self._newest = xp.zeros(slots, dtype=xp.intp)
        self._colours = colour_map()

    def reset(self, slots: IntArray) -> None:
        """Wipe the pictures of `slots`."""
        self._spectrum.reset(slots)
        self._levels[slots] = 0
        self._extremes[slots] = 0.0

    def process(self, blocks: FloatArray, slots: IntArray) -> FloatArray:
        """Add one column to each picture and pass the streams on dry; see `Workload.process`."""
        xp = self._backend.xp
        _, magnitudes = self._spectrum.advance(blocks, slots)
        newest = (self._newest[slots] + 1) % COLUMNS
        self._newest[slots] = newest
        powers = (self._bands @ (magnitudes**2).T).T
        decibels = 10.0 * xp.log10(powers + 10.0 ** (FLOOR_DB / 10.0))
        steps = xp.clip((decibels - FLOOR_DB) * STEPS_PER_DB, 0.0, 255.0)
        self._levels[slots, newest] = steps.astype(xp.uint8)
        self._extremes[slots, newest, 0] = blocks.min(axis=1)
        self._extremes[slots, newest, 1] = blocks.max(axis=1)
        return dry_bus(self._backend, blocks)

    def levels(self, slot: int) -> NDArray[np.uint8]:
        """The last 480 columns of a slot, oldest first: (480, 160) half decibels from -127.5 up."""
        levels: NDArray[np.uint8] = self._oldest_first(self._levels, slot)
        return levels

    def extremes(self, slot: int) -> FloatArray:
        """Lowest and highest sample of the last 480 blocks of a slot, oldest first: (480, 2)."""
        extremes: FloatArray = self._oldest_first(self._extremes, slot)
        return extremes

    def image(self, slot: int) -> Image:
        """The picture of a slot, newest sound at the right: (472, 960, 3) uint8 RGB."""
        spectrogram = _relative_brightness(self.levels(slot)).T[::-1]
        waveform = _drawn_waveform(self.extremes(slot), spectrogram)
        gap = np.zeros((GAP_ROWS, COLUMNS))
        cells = np.concatenate((waveform, gap, spectrogram))
        indices = np.rint(255.0 * cells).astype(np.intp)
        return self._colours[indices.repeat(PIXELS_PER_CELL, 0).repeat(PIXELS_PER_CELL, 1)]

    def write_png(self, slot: int, path: Path) -> None:
        """Write the picture of a slot as a PNG file, replacing an earlier one."""
        png.write_png(path, self.image(slot))

    def _oldest_first(self, columns: Any, slot: int) -> Any:
        return np.roll(_on_host(columns[slot]), -int(self._newest[slot]) - 1, axis=0)


def musical_bands(sample_rate_hz: int) -> FloatArray:
    """Weights that turn powers of bins into bands of equal musical width: (bins, 160) float32.

    Triangles, each as wide as two bands or, where bands are narrower than bins, as two bins. The
    weights of a band sum to its frequency in kHz, since the spectrum of music falls by about 3 dB
    an octave and would leave the upper half of a picture dark.
    """
    bin_hz = sample_rate_hz / WINDOW_FRAMES
    highest_hz = min(HIGHEST_HZ, 0.48 * sample_rate_hz)
    centre_hz = np.geomspace(LOWEST_HZ, highest_hz, SPECTROGRAM_ROWS)
    ratio = centre_hz[1] / centre_hz[0]
    half_width_hz = np.maximum(centre_hz * (ratio - 1.0), bin_hz)
    frequency_hz = np.arange(WINDOW_FRAMES // 2 + 1)[:, None] * bin_hz
    triangles = np.maximum(0.0, 1.0 - np.abs(frequency_hz - centre_hz) / half_width_hz)
    weights: FloatArray = (triangles / triangles.sum(axis=0) * (centre_hz / TILT_HZ)).astype(
        np.float32
    )
    return weights


def _on_host(array: Any) -> Any:
    return array.get() if hasattr(array, "get") else array


def _relative_brightness(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Levels in half decibels as 0..1 below the loudest: a soft stream is as easy to see."""
    below_peak_db = (levels.astype(np.float64) - float(levels.max())) / STEPS_PER_DB
    return np.where(levels > 0, np.clip(1.0 + below_peak_db / RANGE_DB, 0.0, 1.0), 0.0)


def _drawn_waveform(extremes: FloatArray, spectrogram: NDArray[np.float64]) -> NDArray[np.float64]:
    """The band between the extremes, scaled to its peak, its edges softened by partial cover.

    Each column is as light as its loudest part of the spectrum, so that the two pictures agree.
    """
    middle = WAVEFORM_ROWS / 2
    peak = max(float(np.abs(extremes).max()), 1e-9)
    bottom, top = middle - (middle - 1.0) / peak * extremes.T[::-1]
    bottom, top = np.maximum(bottom, top), np.minimum(bottom, top)
    bottom, top = np.maximum(bottom, middle + 0.5), np.minimum(top, middle - 0.5)
    row = np.arange(WAVEFORM_ROWS)[:, None]
    cover = np.clip(np.minimum(bottom, row + 1.0) - np.maximum(top, row), 0.0, 1.0)
    drawn: NDArray[np.float64] = cover * (0.25 + 0.6 * spectrogram.max(axis=0))
    return drawn
