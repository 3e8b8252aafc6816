"""CPU workers that stand by for the streams that the device cannot take."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from statistics import median

import numpy as np

from controller.executors.batch import FinishedBatches
from controller.executors.cpu.pool import WorkerPool
from controller.executors.cpu.staffing import Staffing
from controller.executors.executor import ExecutorSettings, Process
from controller.executors.gpu.placement import Room
from controller.executors.processes import ProcessGroup
from controller.executors.shards.ownership import Ownership
from controller.executors.stream_table import StreamTable
from controller.executors.timetable import Timetable
from controller.executors.warm_up import warm_up
from controller.workloads.backends import numpy_backend
from controller.workloads.workload import Workload

MEASURED_BATCH = 64
"""Streams in the batch by which the speed of a processor is measured."""
MEASUREMENTS = 9
USED_SHARE = 0.6
"""Share of a period that a worker is filled to; the rest is for what else a processor has to do."""


class CpuFallback:
    """A CPU worker for each of `shards`, warm and idle until streams are given to it.

    `streams_each` is what each of them carries, as measured when it is made. They take over the
    shards of workers that are lost, that of the device among them.
    """

    def __init__(
        self,
        settings: ExecutorSettings,
        table: StreamTable,
        ownership: Ownership,
        processes: ProcessGroup,
        shards: range,
        size_of: Callable[[int], int],
    ) -> None:
        self._ownership = ownership
        self._shards = shards
        workload = settings.make_workload(numpy_backend())
        batch = min(MEASURED_BATCH, settings.slots)
        counts = {1, batch, settings.slots}
        warm_up(workload, settings.inputs, settings.period_frames, counts)
        self.memory_blocks = workload.memory_blocks
        self.streams_each = _streams_each(workload, settings, batch)
        self._pool = WorkerPool(settings, workload, table, ownership, processes, len(shards))
        self._staffing = Staffing(self._pool, ownership, size_of)

    @property
    def is_ready(self) -> bool:
        """Whether all workers are at work."""
        return not self._pool.has_room and len(self._pool.ready()) == len(self._pool)

    def rooms(self) -> list[Room]:
        """The shards that have a worker, and what each carries."""
        ready = self._pool.ready()
        owned = [shard for shard in self._shards if self._ownership.owner(shard) in ready]
        return [Room(shard, self.streams_each) for shard in owned]

    def start(self, numbers: Iterator[int], timetable: Timetable) -> None:
        """Start the workers that are lacking."""
        while self._pool.has_room:
            self._pool.start(next(numbers), timetable)

    def staff(self, owed: Collection[int], block: int) -> None:
        """Give workers to shards that have none, above all to those of which blocks are `owed`."""
        self._staffing.staff(self._shards, owed, block)

    def read(self) -> list[FinishedBatches]:
        """Batches that each worker has finished since the last call."""
        return self._pool.read()

    def descriptors(self) -> tuple[int, ...]:
        """One that is readable when a worker without streams finds that others are behind."""
        return self._pool.descriptors()

    def lost(self, ended: Collection[Process], timetable: Timetable) -> list[int]:
        """The workers that have ended, and those that stand still and are killed for that."""
        dead, frozen = self._pool.bury(ended), self._pool.frozen(timetable)
        for worker in frozen:
            self._pool.kill(worker)
        return dead + frozen

    def close(self) -> None:
        """Forget the workers, which somebody else ends."""
        self._pool.clear()


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
