"""Sums over streams: from partial sums to the bus of both ears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from controller.executors.gpu.devices.device import Device, Step
from controller.executors.gpu.workloads.batched_workload import BatchBuffers
from controller.executors.gpu.workloads.workspace import Workspace
from controller.workloads.cuda import kernels
from controller.workloads.cuda.launch import SUMMED_ROWS, pieces


def both_ears(
    device: Device, space: Workspace, batch: BatchBuffers, partial: Any
) -> Sequence[Step]:
    """Partial sums, (chunks, frames), as the bus: alike in both ears."""
    period = batch.period_frames
    mono = space.buffer("mono", (period,), np.float32)
    return (
        device.launch(kernels.SUM_PARTIALS, partial, mono, partial.shape[0], period),
        device.launch(kernels.BOTH_EARS, mono, batch.bus, period),
    )


def dry_bus(device: Device, space: Workspace, batch: BatchBuffers) -> Sequence[Step]:
    """The sound of streams that are only looked at: themselves, alike in both ears."""
    n, period = batch.rows, batch.period_frames
    partial = space.buffer("partial sums", (pieces(n, SUMMED_ROWS), period), np.float32)
    numbers = n, period, SUMMED_ROWS
    summed = device.launch(kernels.SUM_STREAMS, batch.states, batch.sound, partial, *numbers)
    return summed, *both_ears(device, space, batch, partial)
