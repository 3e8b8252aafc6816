"""The contract of a workload on a device: the state of a stream, and the steps of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from controller.executors.gpu.devices.device import Device, Step
from controller.executors.gpu.workloads.workspace import Workspace
from controller.executors.vram.usage import Usage


@dataclass(frozen=True, slots=True, eq=False)
class BatchBuffers:
    """Arrays of the device that a batch comes in and goes out by.

    `states` and `responses` (n,) int64 are offsets in the arena, -1 where there is none; `step`
    (1,) int64 counts blocks; `sound` (n, frames) float32; `bus` (2, frames) float32.
    """

    step: Any
    states: Any
    responses: Any
    sound: Any
    bus: Any

    @property
    def rows(self) -> int:
        """Streams of the batch, used or not."""
        return int(self.sound.shape[0])

    @property
    def period_frames(self) -> int:
        """Frames of a block."""
        return int(self.sound.shape[1])


class BatchedWorkload(Protocol):
    """A workload whose state of each stream is one block of device memory.

    `memory_blocks` is that of `Workload`; `usage` decides who yields when memory is short.
    """

    memory_blocks: int
    usage: Usage

    @property
    def state_bytes(self) -> int:
        """Bytes of the state of one stream; zeros, but for what `initial_state` begins it with."""
        ...

    def initial_state(self, slot: int) -> NDArray[np.uint8] | None:
        """The first bytes of a new stream's state; None where all are zero."""
        ...

    def response_of(self, slot: int) -> int | None:
        """The number of the response that this stream is rendered with; None: it needs none."""
        ...

    @property
    def response_bytes(self) -> int:
        """Bytes of one response."""
        ...

    def response(self, number: int) -> NDArray[np.uint8]:
        """A response as it lies on the device, bytes."""
        ...

    def steps(self, device: Device, space: Workspace, batch: BatchBuffers) -> Sequence[Step]:
        """What is to be done for a batch, in order, over these buffers and those of the space."""
        ...


class WithoutResponse:
    """A part of workloads whose streams are rendered with no response: nothing is cached."""

    @property
    def response_bytes(self) -> int:
        """Zero: there is no response."""
        return 0

    def response_of(self, slot: int) -> int | None:
        """None: no stream has a response."""
        del slot
        return None

    def response(self, number: int) -> NDArray[np.uint8]:
        """Raises LookupError: there is no response."""
        raise LookupError(number)
