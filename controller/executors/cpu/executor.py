"""The CPU executor: worker processes that render streams, and the work beside them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from controller.executors.balancer import Balancer
from controller.executors.batch import FinishedBatches
from controller.executors.cpu.ring import Ring
from controller.executors.cpu.worker import Worker
from controller.executors.executor import ExecutorSettings, Placement, Process, Task, refused
from controller.executors.processes import ProcessGroup
from controller.executors.stream_table import Assignment, StreamTable
from controller.executors.timetable import Timetable
from controller.executors.warm_up import warm_up
from controller.workloads.backends import numpy_backend
from policies.knobs import Bounds, Choice, Knob, KnobValue, Settings
from policies.observation import Reading
from policies.proposal import Refusal

BATCH_SIZES = (8, 16, 32, 64, 128, 256)
NODES, BATCH_SIZE = 1, 64
"""Values to start with where none are given."""
RING_ENTRIES = 2048
CHANGE_LEAD_S = 0.15
"""Seconds of notice that workers get of a new assignment; its giver may be kept waiting too."""
NO_READINGS: Mapping[str, Reading] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Node:
    """A worker process and the ring it writes to."""

    number: int
    process: Process
    ring: Ring


class CpuExecutor:
    """Renders on `nodes` worker processes of this machine; one more stands by, warm.

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
        rings = nodes_max + 2
        self._free_rings = [Ring(RING_ENTRIES, settings.period_frames) for _ in range(rings)]
        self._processes = ProcessGroup()
        self._active: list[Node] = []
        self._standby: list[Node] = []
        self._timetable: Timetable | None = None
        self._started = 0

    @property
    def is_ready(self) -> bool:
        """Whether every worker that should render is at work."""
        return bool(self._active) and all(node.ring.is_open for node in self._active)

    def start(self, timetable: Timetable) -> None:
        """Start the workers and the standby."""
        self._timetable = timetable
        self._active = [self._start_worker(timetable) for _ in range(self._nodes)]
        self._standby = [self._start_worker(timetable)]

    def knobs(self) -> Mapping[str, Knob]:
        """Streams per kernel call, and worker processes."""
        return self._knobs

    def in_force(self) -> Settings:
        """Streams per kernel call as announced last, and the workers that render."""
        nodes = self._nodes if self._timetable is None else len(self._active)
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
        """No figures: the kernel tells of the workers, and the plant asks the kernel."""
        return NO_READINGS

    def schedule_task(self, task: Task) -> Placement:
        """Place a stream on the least-loaded worker, or start a process for other work."""
        if task.run is not None:
            process = self._processes.start(task.name, task.work_class, task.run)
            return Placement(None, process)
        return self._balancer.place(task, _numbers(self._active))

    def release(self, slot: int) -> None:
        """Take a stream off its worker."""
        self._balancer.release(slot)

    def advance(self) -> Assignment | None:
        """Have ready workers join and leavers drained; announce it once the last is in force."""
        if self._timetable is None:
            return None
        self._level(self._timetable)
        block = self._timetable.capturing(time.monotonic_ns())
        if not self.is_ready or self._balancer.is_pending(block):
            return None
        self._retire_surplus()
        lead = int(CHANGE_LEAD_S * 1e9 / self._timetable.period_ns) + self._workload.memory_blocks
        return self._balancer.announce(block + lead + 2, self._batch_size)

    def read(self) -> list[FinishedBatches]:
        """Batches that each worker has finished since the last call."""
        nodes = (*self._active, *self._standby)
        return [FinishedBatches(node.number, *node.ring.read()) for node in nodes]

    def reap(self) -> tuple[Process, ...]:
        """Processes that have died; `advance` moves the streams of lost workers."""
        ended = self._processes.reap()
        dead = {process.pid for process in ended}
        lost = [node for node in (*self._active, *self._standby) if node.process.pid in dead]
        if lost:
            self._active = [node for node in self._active if node not in lost]
            self._standby = [node for node in self._standby if node not in lost]
            self._recycle(lost)
        return ended

    def processes(self) -> Mapping[str, tuple[int, ...]]:
        """Process ids by class of work."""
        return self._processes.by_class()

    def close(self) -> None:
        """End every process."""
        self._timetable = None
        self._active, self._standby = [], []
        self._processes.stop_all()

    def _start_worker(self, timetable: Timetable) -> Node:
        self._started += 1
        ring = self._free_rings.pop()
        worker = Worker(
            self._started,
            self._workload,
            self._settings.inputs,
            self.table,
            ring,
            timetable,
            self._settings.period_frames,
            self._settings.slots,
        )
        process = self._processes.start(f"km-audio-{self._started}", "audio", worker.run)
        return Node(self._started, process, ring)

    def _level(self, timetable: Timetable) -> None:
        """Come closer to the number of workers wanted; one joins only once it is at work."""
        ready = [node for node in self._standby if node.ring.is_open]
        while ready and len(self._active) < self._nodes:
            self._active.append(ready.pop(0))
            self._standby.remove(self._active[-1])
        while len(self._active) > self._nodes:
            self._standby.append(self._active.pop())
        missing = self._nodes - len(self._active) + 1 - len(self._standby)
        self._standby += [self._start_worker(timetable) for _ in range(missing)]
        if self._active:
            self._balancer.balance(_numbers(self._active))

    def _retire_surplus(self) -> None:
        """Stop standbys beyond one, once no announced assignment names them."""
        in_use = self._balancer.in_use()
        spare = len(self._active) + len(self._standby) - self._nodes - 1
        idle = [node for node in reversed(self._standby) if node.number not in in_use]
        surplus = idle[: max(0, spare)]
        for node in surplus:
            self._standby.remove(node)
            self._processes.stop(node.process)
        self._recycle(surplus)

    def _recycle(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            node.ring.recycle()
            self._free_rings.append(node.ring)


def _numbers(nodes: Iterable[Node]) -> list[int]:
    return [node.number for node in nodes]
