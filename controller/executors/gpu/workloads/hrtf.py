"""Binaural rendering on a device: partitioned convolution of all streams, mixed to two ears."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from controller.executors.gpu.devices.device import Device, Step
from controller.executors.gpu.workloads.batched_workload import BatchBuffers
from controller.executors.gpu.workloads.workspace import Workspace
from controller.executors.vram.usage import Usage
from controller.workloads.cuda import kernels
from controller.workloads.cuda.launch import mixed_rows, pieces
from controller.workloads.cuda.layout import hrtf_state_bytes, response_bytes
from controller.workloads.cuda.responses import response_spectra
from controller.workloads.hrir import spherical_head
from controller.workloads.workload import WorkloadSettings, blocks_spanning


class BatchedHrtf:
    """The same law as `HrtfRenderer`; a response is (partitions, 2 ears, bins) complex64."""

    usage = Usage.AUDIO

    def __init__(self, settings: WorkloadSettings) -> None:
        hrirs = settings.hrirs or spherical_head(settings.sample_rate_hz, settings.taps)
        directions = settings.directions
        self._direction_of_slot = hrirs.spread(settings.slots) if directions is None else directions
        self._responses = hrirs.resized(settings.taps).impulse_responses
        self._period = settings.period_frames
        self._partitions = blocks_spanning(settings.taps, settings.period_frames)
        self._bins = settings.period_frames + 1
        self.memory_blocks = blocks_spanning(settings.taps - 1, settings.period_frames)

    @property
    def state_bytes(self) -> int:
        """The block before, and the spectra of as many blocks as there are partitions."""
        return hrtf_state_bytes(self._period, self._partitions)

    def initial_state(self, slot: int) -> NDArray[np.uint8] | None:
        """None: silence."""
        del slot
        return None

    def response_of(self, slot: int) -> int:
        """The direction that the stream is heard from."""
        return int(self._direction_of_slot[slot])

    @property
    def response_bytes(self) -> int:
        """The spectra of one direction, both ears."""
        return response_bytes(self._period, self._partitions)

    def response(self, number: int) -> NDArray[np.uint8]:
        """The spectra of one direction's partitions."""
        spectra = response_spectra(self._responses[number : number + 1], self._period)
        return spectra.view(np.uint8).ravel()

    def steps(self, device: Device, space: Workspace, batch: BatchBuffers) -> Sequence[Step]:
        """Transform each stream's last two blocks, convolve and mix, transform the mix back."""
        n, period, bins, arena = batch.rows, self._period, self._bins, space.arena
        per_chunk = mixed_rows(n, device.description.multiprocessors)
        chunks = pieces(n, per_chunk)
        frames = space.buffer("frames", (n, 2 * period), np.float32)
        spectra = space.buffer("spectra", (n, bins), np.complex64)
        partial = space.buffer("partial sums", (chunks, 2, bins), np.complex64)
        mixed = space.buffer("mixed spectra", (2, bins), np.complex64)
        tail = space.buffer("mixed frames", (2, 2 * period), np.float32)
        numbers = n, bins, self._partitions, per_chunk
        return (
            device.launch(
                kernels.OVERLAP_FRAMES, arena, batch.states, batch.sound, frames, n, period
            ),
            device.rfft(frames, spectra, space.work_area),
            device.launch(
                kernels.MIX_SPECTRA,
                arena,
                batch.states,
                batch.responses,
                batch.step,
                spectra,
                partial,
                *numbers,
            ),
            device.launch(
                kernels.SUM_PARTIALS,
                partial.view(np.float32).reshape(chunks, -1),
                mixed.view(np.float32).reshape(-1),
                chunks,
                4 * bins,
            ),
            device.irfft(mixed, tail, space.work_area),
            device.launch(kernels.OVERLAP_TAIL, tail, batch.bus, period),
        )
