"""CPU workers that stand by for the streams that the device cannot take."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np

from controller.executors.batch import FinishedBatches
from controller.executors.cpu.ring import Ring
from controller.executors.cpu.worker import Worker
from controller.executors.executor import ExecutorSettings, Process
from controller.executors.gpu.placement import Room
from controller.executors.processes import ProcessGroup
from controller.executors.stream_table import StreamTable
from controller.executors.timetable import Timetable
from controller.executors.warm_up import warm_up
from controller.workloads.backends import numpy_backend
from controller.workloads.workload import Workload

RING_ENTRIES = 1024
MEASURED_BATCH = 64
"""Streams in the batch by which the speed of a processor is measured."""
MEASUREMENTS = 9
USED_SHARE = 0.6
"""Share of a period that a worker is filled to; the rest is for what else a processor has to do."""


@dataclass(frozen=True, slots=True)
class _Node:
    number: int
    process: Process
    ring: Ring


class CpuFallback:
    """As many CPU workers as `nodes`, warm and idle until streams are given to them.

    `streams_each` is what each of them carries, as measured when it is made.
    """

    def __init__(self, settings: ExecutorSettings, table: StreamTable, nodes: int) -> None:
        self._settings = settings
        self._table = table
        self._workload = settings.make_workload(numpy_backend())
        batch = min(MEASURED_BATCH, settings.slots)
        counts = {1, batch, settings.slots}
        warm_up(self._workload, settings.inputs, settings.period_frames, counts)
        self.streams_each = _streams_each(self._workload, settings, batch)
        self._rings = [Ring(RING_ENTRIES, settings.period_frames) for _ in range(nodes)]
        self._nodes: list[_Node] = []

    @property
    def memory_blocks(self) -> int:
        """Blocks of notice that a stream needs to move to a worker."""
        return self._workload.memory_blocks

    @property
    def is_ready(self) -> bool:
        """Whether all workers are at work."""
        return not self._rings and all(node.ring.is_open for node in self._nodes)

    def rooms(self) -> list[Room]:
        """The workers that are at work, and what each carries."""
        return [Room(each.number, self.streams_each) for each in self._nodes if each.ring.is_open]

    def start(self, processes: ProcessGroup, numbers: Iterator[int], timetable: Timetable) -> None:
        """Start the workers that are lacking."""
        while self._rings:
            number, ring = next(numbers), self._rings.pop()
            self._nodes.append(self._started(number, ring, processes, timetable))

    def read(self) -> list[FinishedBatches]:
        """Batches that each worker has finished since the last call."""
        return [FinishedBatches(node.number, *node.ring.read()) for node in self._nodes]

    def bury(self, ended: Collection[Process]) -> None:
        """Let go of the workers that have ended."""
        for node in [node for node in self._nodes if node.process in ended]:
            self._nodes.remove(node)
            node.ring.recycle()
            self._rings.append(node.ring)

    def close(self) -> None:
        """Forget the workers, which somebody else ends."""
        self.bury([node.process for node in self._nodes])

    def _started(
        self, number: int, ring: Ring, processes: ProcessGroup, timetable: Timetable
    ) -> _Node:
        settings = self._settings
        worker = Worker(
            number,
            self._workload,
            settings.inputs,
            self._table,
            ring,
            timetable,
            settings.period_frames,
            settings.slots,
        )
        return _Node(number, processes.start(f"km-audio-{number}", "audio", worker.run), ring)


def _streams_each(workload: Workload, settings: ExecutorSettings, batch: int) -> int:
    """Streams that one processor renders in the share of a period that it is filled to."""
    slots = np.arange(batch, dtype=np.intp)
    blocks = np.zeros((batch, settings.period_frames), np.float32)
    times_s = []
    for index in range(MEASUREMENTS):
        settings.inputs.gather(index, slots, blocks)
        began_s = time.perf_counter()
        workload.process(blocks, slots)
        times_s.append(time.perf_counter() - began_s)
    workload.reset(slots)
    period_s = settings.period_frames / settings.workload_settings.sample_rate_hz
    return max(1, int(USED_SHARE * period_s / (median(times_s) / batch)))
