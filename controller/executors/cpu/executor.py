"""The CPU executor: worker processes that render streams, and the work beside them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.executors.cpu.processes import Process, ProcessGroup
from controller.executors.cpu.ring import Ring
from controller.executors.cpu.worker import InputBlocks, Worker
from controller.executors.stream_table import NOBODY, Assignment, StreamTable
from controller.executors.timetable import Timetable
from controller.workloads.workload import Workload

RING_ENTRIES = 2048
CHANGE_LEAD_S = 0.15
"""Notice that workers get of a new assignment: this process may itself be kept waiting."""


@dataclass(frozen=True, slots=True)
class Node:
    """A worker process and the ring it writes to."""

    number: int
    process: Process
    ring: Ring


@dataclass(frozen=True, slots=True)
class Task:
    """Work of one class: a live stream to render (`slot`), or a process of its own (`run`)."""

    work_class: str
    name: str
    slot: int | None = None
    run: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a task runs: the number of its worker, or the process started for it."""

    node: int | None
    process: Process | None


class CpuExecutor:
    """Places streams on the least-loaded worker and changes over without dropping a block.

    `nodes` workers render, one more stands by, warm. Everything shared is anonymous memory;
    nothing survives the process that owns the executor.
    """

    def __init__(
        self,
        workload: Workload,
        inputs: InputBlocks,
        timetable: Timetable,
        *,
        capacity: int,
        period_frames: int,
        batch_size: int,
        nodes_max: int,
    ) -> None:
        self._workload = workload
        self._inputs = inputs
        self._timetable = timetable
        self._capacity = capacity
        self._period_frames = period_frames
        self._table = StreamTable(capacity, batch_size)
        self._free_rings = [Ring(RING_ENTRIES, period_frames) for _ in range(nodes_max + 2)]
        self._processes = ProcessGroup()
        self._active: list[Node] = []
        self._standby: list[Node] = []
        self._wanted = np.full(capacity, NOBODY, np.int16)
        self._batch_size = batch_size
        self._nodes_wanted = 0
        self._nodes_max = nodes_max
        self._published = self._table.latest()
        self._numbers = 0

    @property
    def table(self) -> StreamTable:
        """Who renders what, for those who look on."""
        return self._table

    @property
    def nodes(self) -> int:
        """Workers that render."""
        return len(self._active)

    @property
    def is_ready(self) -> bool:
        """Whether every worker that should render is at work."""
        return bool(self._active) and all(node.ring.is_open for node in self._active)

    @property
    def batch_size(self) -> int:
        """Streams per kernel call, as announced last."""
        return self._published.batch_size

    @property
    def live(self) -> NDArray[np.intp]:
        """Slots with a stream, as wanted now."""
        return np.flatnonzero(self._wanted != NOBODY)

    def processes(self) -> dict[str, tuple[int, ...]]:
        """Process ids by class of work."""
        return self._processes.by_class()

    def start(self, nodes: int) -> None:
        """Start the workers and the standby."""
        self._nodes_wanted = nodes
        self._active = [self._start_worker() for _ in range(nodes)]
        self._standby = [self._start_worker()]

    def schedule_task(self, task: Task) -> Placement:
        """Place a stream on the least-loaded worker, or start a process for other work."""
        if task.run is not None:
            process = self._processes.start(task.name, task.work_class, task.run)
            return Placement(None, process)
        if task.slot is None:
            raise ValueError(f"task {task.name} has neither a stream nor anything to run")
        node = self._least_loaded()
        self._wanted[task.slot] = node.number
        return Placement(node.number, None)

    def release(self, slot: int) -> None:
        """Take a stream off its worker."""
        self._wanted[slot] = NOBODY

    def set_batch_size(self, batch_size: int) -> None:
        """Render this many streams per kernel call from the next assignment on."""
        self._batch_size = batch_size

    def set_nodes(self, nodes: int) -> None:
        """Render on this many workers: a warm standby joins at once, a leaver is drained first."""
        self._nodes_wanted = min(max(1, nodes), self._nodes_max)

    def level(self) -> None:
        """Come closer to the number of workers wanted; one joins only once it is at work."""
        ready = [node for node in self._standby if node.ring.is_open]
        while ready and len(self._active) < self._nodes_wanted:
            self._active.append(ready.pop(0))
            self._standby.remove(self._active[-1])
        while len(self._active) > self._nodes_wanted:
            self._standby.append(self._active.pop())
        missing = self._nodes_wanted - len(self._active) + 1 - len(self._standby)
        self._standby += [self._start_worker() for _ in range(missing)]
        if self._active:
            self._balance()

    def publish(self) -> Assignment | None:
        """Announce what has been decided since the last time, once that is in force."""
        now_block = self._timetable.capturing(time.monotonic_ns())
        if now_block <= self._published.from_block and self._published.version > 0:
            return None
        self._retire_surplus()
        unchanged = np.array_equal(self._wanted, self._published.workers)
        if unchanged and self._batch_size == self._published.batch_size:
            return None
        lead = int(CHANGE_LEAD_S * 1e9 / self._timetable.period_ns) + self._workload.memory_blocks
        from_block = now_block + lead + 2
        self._published = self._table.publish(from_block, self._batch_size, self._wanted)
        return self._published

    def reap(self) -> tuple[Process, ...]:
        """Take note of processes that have died; `level` moves the streams of lost workers."""
        ended = self._processes.reap()
        dead = {process.pid for process in ended}
        lost = [node for node in (*self._active, *self._standby) if node.process.pid in dead]
        if lost:
            self._active = [node for node in self._active if node not in lost]
            self._standby = [node for node in self._standby if node not in lost]
            self._recycle(lost)
        return ended

    def read(self) -> list[tuple[int, NDArray[np.void], NDArray[np.float32]]]:
        """Finished batches of every worker since the last call: (worker, batches, sound)."""
        return [(node.number, *node.ring.read()) for node in (*self._active, *self._standby)]

    def stop(self) -> None:
        """End every process."""
        self._processes.stop_all()

    def _start_worker(self) -> Node:
        self._numbers += 1
        number = self._numbers
        ring = self._free_rings.pop()
        worker = Worker(
            number,
            self._workload,
            self._inputs,
            self._table,
            ring,
            self._timetable,
            self._period_frames,
            self._capacity,
        )
        process = self._processes.start(f"km-audio-{number}", "audio", worker.run)
        return Node(number, process, ring)

    def _load_of(self, node: Node) -> int:
        return int(np.count_nonzero(self._wanted == node.number))

    def _least_loaded(self) -> Node:
        return min(self._active, key=self._load_of)

    def _balance(self) -> None:
        """Move as few streams as possible so that the workers' loads differ by one at most."""
        serving = [node.number for node in self._active]
        for slot in np.flatnonzero((self._wanted != NOBODY) & ~np.isin(self._wanted, serving)):
            self._wanted[slot] = self._least_loaded().number
        while True:
            loads = sorted(self._active, key=self._load_of)
            if self._load_of(loads[-1]) - self._load_of(loads[0]) <= 1:
                return
            self._wanted[np.flatnonzero(self._wanted == loads[-1].number)[-1]] = loads[0].number

    def _retire_surplus(self) -> None:
        """Stop standbys beyond one, once no announced assignment names them."""
        named = set(np.unique(self._published.workers)) | set(np.unique(self._wanted))
        spare = len(self._active) + len(self._standby) - self._nodes_wanted - 1
        idle = [node for node in reversed(self._standby) if node.number not in named]
        surplus = idle[: max(0, spare)]
        for node in surplus:
            self._standby.remove(node)
            self._processes.stop(node.process)
        self._recycle(surplus)

    def _recycle(self, nodes: list[Node]) -> None:
        for node in nodes:
            node.ring.recycle()
            self._free_rings.append(node.ring)


def share_of_all_cpus(share: float) -> float:
    """A share of all processor time as a share of one processor."""
    return share * (os.cpu_count() or 1)
