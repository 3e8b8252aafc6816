"""The CPU executor: worker processes that render streams, and the work beside them."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Collection, Mapping
from typing import cast

from controller.executors.balancer import Balancer
from controller.executors.batch import FinishedBatches
from controller.executors.cpu.pool import WorkerPool
from controller.executors.cpu.staffing import Staffing
from controller.executors.executor import ExecutorSettings, Placement, Process, Task, refused
from controller.executors.processes import ProcessGroup
from controller.executors.shards.ownership import Ownership
from controller.executors.shards.takeover import Takeover, Takeovers
from controller.executors.stream_table import NOBODY, Assignment, StreamTable
from controller.executors.timetable import Timetable
from controller.executors.warm_up import warm_up
from controller.workloads.backends import numpy_backend
from policies.knobs import Bounds, Choice, Knob, KnobValue, Settings
from policies.observation import Reading, Value
from policies.proposal import Refusal

BATCH_SIZES = (8, 16, 32, 64, 128, 256)
NODES, BATCH_SIZE = 1, 64
"""Values to start with where none are given."""
STANDBYS = 1
"""Workers that stand by, warm, to take over at once."""
DYING = 2
"""Workers that may be on their way out while others have taken their place."""
CHANGE_LEAD_S = 0.15
"""Seconds of notice that workers get of a new assignment; its giver may be kept waiting too."""


class CpuExecutor:
    """Renders on `nodes` worker processes of this machine, a shard each; one more stands by, warm.

    A worker that dies, or stands still while a block is due, is replaced by the one that stands by
    before the block is played; where there is none, another worker has two shards for a while.
    Everything shared is anonymous memory; nothing survives the process that owns the executor.
    """

    name = "cpu"

    def __init__(self, settings: ExecutorSettings) -> None:
        self._settings = settings
        nodes_max = settings.limits.get("nodes", os.cpu_count() or 1)
        self._knobs = {
            "batch_size": Knob("batch_size", Choice(BATCH_SIZES), "cpu", 0.4, 2.0),
            "nodes": Knob("nodes", Bounds(1, nodes_max), "cpu", 0.5, 2.0),
        }
        self._nodes = cast(int, settings.knobs.get("nodes", NODES))
        self._batch_size = cast(int, settings.knobs.get("batch_size", BATCH_SIZE))
        self._workload = settings.make_workload(numpy_backend())
        counts = {1, min(self._batch_size, settings.slots), settings.slots}
        warm_up(self._workload, settings.inputs, settings.period_frames, counts)
        self.table = StreamTable(settings.slots, self._batch_size)
        self._balancer = Balancer(self.name, self.table)
        self._ownership = Ownership(nodes_max)
        self._takeovers = Takeovers(self._ownership)
        self._processes = ProcessGroup()
        given = self._workload, self.table, self._ownership, self._processes
        self._pool = WorkerPool(settings, *given, nodes_max + STANDBYS + DYING)
        self._staffing = Staffing(self._pool, self._ownership, self._balancer.size_of)
        self._numbers = itertools.count(1)
        self._timetable: Timetable | None = None

    @property
    def is_ready(self) -> bool:
        """Whether every worker that should render is at work."""
        owners = {self._ownership.owner(shard) for shard in self._shards}
        return bool(owners) and owners.issubset(self._pool.ready())

    def start(self, timetable: Timetable) -> None:
        """Start the workers and the standby."""
        self._timetable = timetable
        for shard in range(1, self._nodes + 1):
            number = next(self._numbers)
            self._ownership.begin(shard, number, 0)
            self._pool.start(number, timetable)
        self._pool.start(next(self._numbers), timetable)

    def knobs(self) -> Mapping[str, Knob]:
        """Streams per kernel call, and worker processes."""
        return self._knobs

    def in_force(self) -> Settings:
        """Streams per kernel call as announced last, and the workers that render."""
        nodes = self._nodes if self._timetable is None else len(self._shards)
        return Settings.of({"batch_size": self._balancer.announced.batch_size, "nodes": nodes})

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Take note; a warm standby joins at once, a worker that leaves is drained first."""
        if (refusal := refused(self.knobs(), knob, value)) is not None:
            return refusal
        if knob == "nodes":
            self._nodes = cast(int, value)
        else:
            self._batch_size = cast(int, value)
        return None

    def readings(self) -> Mapping[str, Reading]:
        """Who stands by, and what the loss of workers has taken; the kernel tells the rest."""
        standing_by = Value(float(len(self._staffing.idle())))
        return {"workers.standing_by": standing_by, **self._takeovers.readings()}

    def schedule_task(self, task: Task) -> Placement:
        """Put a stream into the smallest shard, or start a process for other work."""
        if task.run is not None:
            process = self._processes.start(task.name, task.work_class, task.run)
            return Placement(None, process)
        return self._balancer.place(task, self._shards)

    def release(self, slot: int) -> None:
        """Take a stream out of its shard."""
        self._balancer.release(slot)

    def advance(self) -> Assignment | None:
        """Have ready workers join and leavers drained; announce it once the last is in force."""
        if self._timetable is None:
            return None
        block = self._timetable.capturing(time.monotonic_ns())
        self._staff(block)
        self._start_missing(self._timetable)
        if self._shards:
            self._balancer.balance(self._shards)
        if not self.is_ready or self._balancer.is_pending(block):
            return None
        self._retire_surplus()
        lead = int(CHANGE_LEAD_S * 1e9 / self._timetable.period_ns) + self._workload.memory_blocks
        return self._balancer.announce(block + lead + 2, self._batch_size)

    def read(self) -> list[FinishedBatches]:
        """Batches that each worker has finished since the last call."""
        return self._pool.read() if self._timetable is not None else []

    def descriptors(self) -> tuple[int, ...]:
        """One for each process, readable when it has ended, and one for workers that are behind."""
        return (*self._processes.descriptors(), *self._pool.descriptors())

    def reap(self) -> tuple[Process, ...]:
        """Processes that have died; shards of those and of frozen workers go to others."""
        ended = self._processes.reap()
        lost = self._pool.bury(ended)
        if self._timetable is not None:
            frozen = self._pool.frozen(self._timetable)
            for worker in frozen:
                self._pool.kill(worker)
            self._replace((*lost, *frozen), self._timetable)
        return ended

    def takeovers(self) -> tuple[Takeover, ...]:
        """Shards of lost workers that others have caught up with since the last call."""
        return self._takeovers.done()

    def processes(self) -> Mapping[str, tuple[int, ...]]:
        """Process ids by class of work."""
        return self._processes.by_class()

    def close(self) -> None:
        """End every process."""
        self._timetable = None
        self._pool.clear()
        self._processes.stop_all()

    @property
    def _shards(self) -> tuple[int, ...]:
        """The shards that should have streams, and have a worker."""
        return tuple(shard for shard in self._ownership.owned() if shard <= self._nodes)

    def _replace(self, lost: Collection[int], timetable: Timetable) -> None:
        """Have the shards of lost workers rendered by others, from now on."""
        now_ns = time.monotonic_ns()
        if lost and self._takeovers.orphan(lost, self._in_use(), now_ns):
            self._staff(timetable.capturing(now_ns))

    def _staff(self, block: int) -> None:
        """See that the shards that should have streams have a worker, and those that are owed."""
        self._staffing.staff(range(1, self._nodes + 1), self._takeovers.waiting(), block)

    def _in_use(self) -> frozenset[int]:
        """Shards with a stream, as announced or as wanted."""
        return self._balancer.in_use() - {NOBODY}

    def _start_missing(self, timetable: Timetable) -> None:
        for _ in range(self._nodes + STANDBYS - len(self._pool)):
            if self._pool.has_room:
                self._pool.start(next(self._numbers), timetable)

    def _retire_surplus(self) -> None:
        """Free shards that no assignment in force or to come names, and stop idle workers."""
        leaving = [shard for shard in self._ownership.owned() if shard > self._nodes]
        for shard in set(leaving).difference(self._in_use() if leaving else ()):
            self._ownership.give(shard, NOBODY)
        surplus = len(self._pool) - self._nodes - STANDBYS
        for worker in self._staffing.idle()[::-1][: max(0, surplus)]:
            self._pool.stop(worker)
