"""Equalisation on a device: each stream's own cascade of biquads, summed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from controller.executors.gpu.devices.device import Device, Step
from controller.executors.gpu.workloads.batched_workload import BatchBuffers, WithoutResponse
from controller.executors.gpu.workloads.sums import both_ears
from controller.executors.gpu.workloads.workspace import Workspace
from controller.executors.vram.usage import Usage
from controller.workloads.cuda import kernels
from controller.workloads.cuda.launch import FILTERED_ROWS, pieces
from controller.workloads.cuda.layout import filters_state_bytes
from controller.workloads.filters import DECAY_S, equalisers
from controller.workloads.workload import WorkloadSettings, blocks_spanning


class BatchedFilters(WithoutResponse):
    """The same law as `BiquadCascade`; a state is its coefficients, then what it remembers."""

    usage = Usage.AUDIO

    def __init__(self, settings: WorkloadSettings) -> None:
        self._coefficients = equalisers(settings.slots, settings.sample_rate_hz)
        self._sections = self._coefficients.shape[1]
        decay_frames = math.ceil(DECAY_S * settings.sample_rate_hz)
        self.memory_blocks = blocks_spanning(decay_frames, settings.period_frames)

    @property
    def state_bytes(self) -> int:
        """Coefficients and memory of all sections."""
        return filters_state_bytes(self._sections)

    def initial_state(self, slot: int) -> NDArray[np.uint8]:
        """The coefficients."""
        return np.ascontiguousarray(self._coefficients[slot]).view(np.uint8).ravel()

    def steps(self, device: Device, space: Workspace, batch: BatchBuffers) -> Sequence[Step]:
        """Filter and sum."""
        n, period = batch.rows, batch.period_frames
        partial = space.buffer("partial sums", (pieces(n, FILTERED_ROWS), period), np.float32)
        filtered = device.launch(
            kernels.BIQUAD_BANK,
            space.arena,
            batch.states,
            batch.sound,
            partial,
            n,
            period,
            self._sections,
            FILTERED_ROWS,
        )
        return filtered, *both_ears(device, space, batch, partial)
