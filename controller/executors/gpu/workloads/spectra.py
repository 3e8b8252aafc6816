"""Spectra on a device: analysis, spectrogram and visualisation share a windowed transform."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.executors.gpu.devices.device import Device, Step
from controller.executors.gpu.workloads.batched_workload import BatchBuffers, WithoutResponse
from controller.executors.gpu.workloads.sums import dry_bus
from controller.executors.gpu.workloads.workspace import Workspace
from controller.executors.vram.usage import Usage
from controller.workloads.cuda import kernels
from controller.workloads.cuda.band_runs import band_runs
from controller.workloads.cuda.layout import (
    FFT_STATE_BYTES,
    SPECTROGRAM_STATE_BYTES,
    VISUALISATION_STATE_BYTES,
)
from controller.workloads.short_time_spectrum import BINS, WINDOW_FRAMES, window
from controller.workloads.visualisation import musical_bands
from controller.workloads.workload import WorkloadSettings, blocks_spanning


class BatchedSpectra(WithoutResponse, ABC):
    """Windowed spectra of the last 1024 samples of each stream, and what is kept of them."""

    def __init__(self, settings: WorkloadSettings, usage: Usage, state_bytes: int) -> None:
        self.usage = usage
        self._sample_rate_hz = settings.sample_rate_hz
        self.state_bytes = state_bytes
        frames = settings.period_frames
        self.memory_blocks = blocks_spanning(WINDOW_FRAMES - frames, frames)

    def initial_state(self, slot: int) -> NDArray[np.uint8] | None:
        """None: silence."""
        del slot
        return None

    def steps(self, device: Device, space: Workspace, batch: BatchBuffers) -> Sequence[Step]:
        """Window, transform, keep; the streams pass on dry."""
        n = batch.rows
        windowed = space.buffer("windowed", (n, WINDOW_FRAMES), np.float32)
        spectra = space.buffer("spectra", (n, BINS), np.complex64)
        shape = space.constant("window", window())
        ends = windowed, n, batch.period_frames
        arena, states, step, sound = space.arena, batch.states, batch.step, batch.sound
        return (
            device.launch(kernels.WINDOW_HISTORY, arena, states, step, sound, shape, *ends),
            device.rfft(windowed, spectra, space.work_area),
            self.keep(device, space, batch, spectra),
            *dry_bus(device, space, batch),
        )

    @abstractmethod
    def keep(self, device: Device, space: Workspace, batch: BatchBuffers, spectra: Any) -> Step:
        """The step that keeps what is wanted of the spectra, (n, 513) complex64."""


class BatchedAnalysis(BatchedSpectra):
    """The same law as `SpectralAnalysis`."""

    def __init__(self, settings: WorkloadSettings) -> None:
        super().__init__(settings, Usage.ANALYSIS, FFT_STATE_BYTES)

    def keep(self, device: Device, space: Workspace, batch: BatchBuffers, spectra: Any) -> Step:
        """Magnitudes, level, centroid, peak."""
        numbers = batch.rows, self._sample_rate_hz
        return device.launch(
            kernels.SPECTRAL_MEASURES, space.arena, batch.states, spectra, *numbers
        )


class BatchedSpectrogram(BatchedSpectra):
    """The same law as `Spectrogram`."""

    def __init__(self, settings: WorkloadSettings) -> None:
        super().__init__(settings, Usage.ANALYSIS, SPECTROGRAM_STATE_BYTES)

    def keep(self, device: Device, space: Workspace, batch: BatchBuffers, spectra: Any) -> Step:
        """A column of magnitudes."""
        given = space.arena, batch.states, batch.step, spectra, batch.rows
        return device.launch(kernels.MAGNITUDE_COLUMN, *given)


class BatchedVisualisation(BatchedSpectra):
    """The same law as `Visualisation`; pictures are drawn on the host."""

    def __init__(self, settings: WorkloadSettings) -> None:
        super().__init__(settings, Usage.VISUALISATION, VISUALISATION_STATE_BYTES)
        self._bands = band_runs(musical_bands(settings.sample_rate_hz))

    def keep(self, device: Device, space: Workspace, batch: BatchBuffers, spectra: Any) -> Step:
        """A column of levels, and the extremes of the waveform."""
        bands = (
            space.constant("first bins", self._bands.first_bin),
            space.constant("starts of weights", self._bands.weight_start),
            space.constant("weights of bands", self._bands.weights),
        )
        given = space.arena, batch.states, batch.step, batch.sound, spectra, *bands
        return device.launch(kernels.BANDS_AND_LEVELS, *given, batch.rows, batch.period_frames)
