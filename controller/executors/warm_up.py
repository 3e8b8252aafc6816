"""Compiles and plans what a workload needs before the first block that anybody hears."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from controller.executors.executor import InputBlocks
from controller.workloads.workload import Workload


def warm_up(
    workload: Workload, inputs: InputBlocks, period_frames: int, counts: Iterable[int]
) -> None:
    """Render so many streams once for each count, unheard, and have the workload forget them."""
    for count in sorted(set(counts)):
        slots = np.arange(count, dtype=np.intp)
        blocks = np.zeros((count, period_frames), np.float32)
        inputs.gather(0, slots, blocks)
        workload.process(blocks, slots)
        workload.reset(slots)
