"""The interface of a plant under calibration, so that one plan measures each of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from controller import plugins
from controller.executors.executor import WORKLOAD_NEEDS
from controller.executors.warm_up import warm_up
from controller.sound.bank import SoundBank
from controller.sound.synthesis import synthesise_sounds
from controller.workloads.backends import numpy_backend
from controller.workloads.workload import Workload, WorkloadSettings
from simulators.calibration.calibration import OperatingPoint

SETTLING_S = 0.25
"""Seconds from a new operating point until all its streams are there and the caches know them."""
DRAIN_PERIODS = 4
"""After so many a block has been rendered or given up, and its record read."""


@dataclass(frozen=True, slots=True)
class Device:
    """The device of an executor that copies input in blocks, as the executor tells.

    A stream brings `bytes_per_stream` a period, and holds `state_bytes` of `memory_bytes`.
    """

    bytes_per_stream: int
    memory_bytes: int
    state_bytes: int


class Subject(Protocol):
    """A server of streams under a constant load, and the stamps that it leaves.

    `period_ms` is its own; `scheduling` is "realtime" where it got that, or "normal".
    `batch_sizes` and `block_bytes` are the values that its knobs can have, ascending; the latter
    is empty where input does not go to a device in blocks.
    """

    period_ms: float
    scheduling: str
    batch_sizes: tuple[int, ...]
    block_bytes: tuple[int, ...]

    def measure(
        self, streams: int, batch_size: int, seconds: float, block_bytes: int | None = None
    ) -> OperatingPoint:
        """The work of so many streams for so long, once all are there; None: in usual blocks."""
        ...

    def device(self) -> Device | None:
        """The device while streams are there; None where the subject has no blocks."""
        ...


def rendering(
    workload: str, settings: WorkloadSettings, batch_sizes: Sequence[int]
) -> tuple[Workload, SoundBank]:
    """A workload and its input, each kernel run once: nothing compiles while it should render."""
    frames, slots = settings.period_frames, settings.slots
    bank = SoundBank(synthesise_sounds(settings.sample_rate_hz, 1), frames, slots)
    given = WORKLOAD_NEEDS, settings, numpy_backend()
    made: Workload = plugins.make("workloads", workload, *given)
    warm_up(made, bank, frames, {1, *(min(size, slots) for size in batch_sizes)})
    return made, bank


def between(batches: list[NDArray[np.void]], first: int, last: int) -> NDArray[np.void]:
    """The records of the blocks from `first` up to, not with, `last`."""
    stamps = np.concatenate(batches)
    return stamps[(stamps["block"] >= first) & (stamps["block"] < last)]


def class_of(policy: int) -> str:
    """The name of the kernel's scheduling policy in a report."""
    return "realtime" if policy in (os.SCHED_FIFO, os.SCHED_RR) else "normal"
