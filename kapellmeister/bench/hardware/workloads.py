"""The workloads that are measured, by the names that the tables have."""

from __future__ import annotations

from typing import Any

import numpy as np

from controller import plugins
from controller.executors.gpu.devices.device import Device, Step
from controller.executors.gpu.workloads.batched_workload import BatchBuffers, BatchedWorkload
from controller.executors.gpu.workloads.catalogue import batched
from controller.executors.gpu.workloads.spectra import BatchedSpectra
from controller.executors.gpu.workloads.workspace import Workspace
from controller.executors.vram.usage import Usage
from controller.workloads.arrays import FloatArray, IntArray
from controller.workloads.backend import Backend
from controller.workloads.cuda.layout import PAST_BYTES
from controller.workloads.short_time_spectrum import WINDOW_FRAMES, dry_bus, window
from controller.workloads.workload import Workload, WorkloadSettings, blocks_spanning
from kapellmeister.bench.hardware.rig import FRAMES, SAMPLE_RATE_HZ
from kapellmeister.bench.workloads.inputs import reverberant_room

FFT, OWN_HRTF = "FFT", "HRTF, own responses"
SHARED_DIRECTIONS = 64
"""Responses that all streams share, where each has not its own."""
NAMES = {
    "HRTF": "hrtf",
    OWN_HRTF: "hrtf",
    "spectrogram": "spectrogram",
    "spectral analysis": "fft",
    "filtering": "filters",
    "visualisation": "visualisation",
}
"""Plug-in behind each title."""
TITLES = (*NAMES, FFT)


class BatchedTransform(BatchedSpectra):
    """The windowed transform alone, of which nothing is kept."""

    def __init__(self, settings: WorkloadSettings) -> None:
        super().__init__(settings, Usage.ANALYSIS, PAST_BYTES)

    def keep(self, device: Device, space: Workspace, batch: BatchBuffers, spectra: Any) -> Step:
        """Nothing."""
        del device, space, batch, spectra
        return _nothing


class Transform:
    """The same on arrays of a backend: what `BatchedTransform` does, and no more."""

    memory_blocks = blocks_spanning(WINDOW_FRAMES - FRAMES, FRAMES)

    def __init__(self, settings: WorkloadSettings, backend: Backend) -> None:
        xp = backend.xp
        self._backend = backend
        self._window = xp.asarray(window())
        self._past = xp.zeros((settings.slots, WINDOW_FRAMES), dtype=xp.float32)

    def reset(self, slots: IntArray) -> None:
        """Silence the past of `slots`."""
        self._past[slots] = 0.0

    def process(self, blocks: FloatArray, slots: IntArray) -> FloatArray:
        """Transform the last 1024 samples of these streams; see `Workload.process`."""
        xp = self._backend.xp
        recent = xp.concatenate((self._past[slots], blocks), axis=1)[:, -WINDOW_FRAMES:]
        self._past[slots] = recent
        self._backend.rfft(recent * self._window)
        return dry_bus(self._backend, blocks)


def settings_of(title: str, streams: int, taps: int) -> WorkloadSettings:
    """Settings of so many streams; where responses are their own, no two share one."""
    if NAMES.get(title) != "hrtf":
        return WorkloadSettings(SAMPLE_RATE_HZ, FRAMES, streams)
    directions = streams if title == OWN_HRTF else min(streams, SHARED_DIRECTIONS)
    heard_from = np.arange(streams, dtype=np.intp) % directions
    room = reverberant_room(directions, taps)
    return WorkloadSettings(SAMPLE_RATE_HZ, FRAMES, streams, taps, room, heard_from)


def batched_of(title: str, settings: WorkloadSettings) -> BatchedWorkload:
    """The workload as a device renders it."""
    if title == FFT:
        return BatchedTransform(settings)
    return batched(NAMES[title], settings, "bench")


def on_arrays(title: str, settings: WorkloadSettings, backend: Backend) -> Workload:
    """The workload as a backend renders it: by numba on a processor, by CuPy on a device."""
    if title == FFT:
        return Transform(settings, backend)
    made: Workload = plugins.find("workloads", NAMES[title])(settings, backend)
    return made


def _nothing() -> None:
    pass
