"""The contract between a workload and whoever runs it; importing it loads no compiler."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from controller.workloads.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from controller.workloads.backend import Backend
    from controller.workloads.hrir import HrirSet


@dataclass(frozen=True, slots=True, eq=False)
class WorkloadSettings:
    """All that any workload may need, so that every one is constructed alike.

    `slots` is how many streams can be live at once. `taps` (impulse-response length in samples),
    `hrirs` (by default a spherical head) and `directions` (per slot, an index into `hrirs`; by
    default spread evenly over the set) concern HRTF rendering only.
    """

    sample_rate_hz: int
    period_frames: int
    slots: int
    taps: int = 512
    hrirs: HrirSet | None = None
    directions: IntArray | None = None


class Workload(Protocol):
    """Processing of many streams at once, since speed comes from batching.

    State lives in arrays of one row a slot; a slot is one stream. `memory_blocks` past input
    blocks, replayed into a fresh slot, make its output as if the slot had always been there
    (FIR: exactly; IIR: to the decay that the workload states).
    """

    memory_blocks: int

    def __init__(self, settings: WorkloadSettings, backend: Backend) -> None: ...

    def reset(self, slots: IntArray) -> None:
        """Forget the past of `slots`, so that a new stream hears nothing of the old one."""
        ...

    def process(self, blocks: FloatArray, slots: IntArray) -> FloatArray:
        """Advance these streams by one block and return the sum of what they sound like.

        `blocks`: (n, period_frames) float32; `slots`: (n,) intp, distinct. Returns the stereo
        bus, (2, period_frames) float32.
        """
        ...


def blocks_spanning(samples: int, period_frames: int) -> int:
    """How many whole blocks hold the last `samples` samples: a workload's memory in blocks."""
    return math.ceil(max(0, samples) / period_frames)
