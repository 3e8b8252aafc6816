"""Worker processes of this machine, and the rings they write to."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from controller.executors.batch import FinishedBatches
from controller.executors.cpu.ring import Ring
from controller.executors.cpu.worker import Worker
from controller.executors.executor import ExecutorSettings, Process
from controller.executors.processes import ProcessGroup
from controller.executors.shards.alarm import Alarm
from controller.executors.shards.ownership import Ownership
from controller.executors.stream_table import StreamTable
from controller.executors.timetable import Timetable
from controller.linux.process_state import RUNNABLE, STOPPED, state_of
from controller.workloads.workload import Workload

RING_ENTRIES = 2048


@dataclass(frozen=True, slots=True)
class Node:
    """A worker process, the ring it writes to, and the call by which it is woken."""

    number: int
    process: Process
    ring: Ring
    call: Alarm


@dataclass(frozen=True, slots=True)
class Behind:
    """The latest block that a worker is through with, though others are due, and since when."""

    passed: int
    seen_ns: int


class WorkerPool:
    """At most `size` workers of one workload, by number."""

    def __init__(
        self,
        settings: ExecutorSettings,
        workload: Workload,
        table: StreamTable,
        ownership: Ownership,
        processes: ProcessGroup,
        size: int,
    ) -> None:
        self._settings = settings
        self._workload = workload
        self._table = table
        self._ownership = ownership
        self._processes = processes
        self._free_rings = [Ring(RING_ENTRIES, settings.period_frames) for _ in range(size)]
        self._nodes: dict[int, Node] = {}
        self._left: list[FinishedBatches] = []
        self._killed: set[int] = set()
        self._behind: dict[int, Behind] = {}
        self._alarm = Alarm()

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def has_room(self) -> bool:
        """Whether another worker can be started."""
        return bool(self._free_rings)

    def ready(self) -> list[int]:
        """The workers that are at work, in the order in which they were started."""
        return [number for number in self._nodes if self._is_at_work(number)]

    def passed(self, worker: int) -> int:
        """The latest block that this worker is through with."""
        return self._nodes[worker].ring.passed

    def start(self, number: int, timetable: Timetable) -> None:
        """Start a worker, which is at work some milliseconds later."""
        ring, call, settings = self._free_rings.pop(), Alarm(), self._settings
        worker = Worker(
            number,
            self._workload,
            settings.inputs,
            self._table,
            self._ownership,
            ring,
            timetable,
            settings.period_frames,
            settings.slots,
            self._alarm,
            call,
        )
        process = self._processes.start(f"km-audio-{number}", "audio", worker.run)
        self._nodes[number] = Node(number, process, ring, call)

    def call(self, worker: int) -> None:
        """Wake a worker that stands by, since it has a shard now."""
        self._nodes[worker].call.raise_()

    def read(self) -> list[FinishedBatches]:
        """Batches that each worker has finished since the last call, those of the dead too."""
        left, self._left = self._left, []
        return left + [FinishedBatches(each.number, *each.ring.read()) for each in self._all()]

    def descriptors(self) -> tuple[int, ...]:
        """One that is readable when a worker that stands by finds that others are behind."""
        return self._alarm.descriptors()

    def frozen(self, timetable: Timetable) -> list[int]:
        """Workers that stand still though a block is due that they are not through with.

        One that waits for a processor is not to blame, since another would wait as well. One that
        is not stopped but asleep, as where its control group is frozen, must have been seen so a
        period before.
        """
        self._alarm.clear()
        now_ns = time.monotonic_ns()
        due, before, self._behind = timetable.due(now_ns), self._behind, {}
        for worker in self.ready():
            seen = Behind(self.passed(worker), now_ns)
            if seen.passed < due:
                earlier = before.get(worker, seen)
                self._behind[worker] = earlier if earlier.passed == seen.passed else seen
        long_since_ns = now_ns - int(timetable.period_ns)
        return [each for each in self._behind if self._stands_still(each, long_since_ns)]

    def bury(self, ended: Collection[Process]) -> list[int]:
        """Let go of the workers that have ended; their numbers."""
        dead = [node for node in self._all() if node.process in ended]
        for node in dead:
            self._let_go(node)
        return [node.number for node in dead]

    def stop(self, worker: int) -> None:
        """End a worker that nothing is expected of."""
        node = self._nodes[worker]
        self._processes.stop(node.process)
        self._let_go(node)

    def kill(self, worker: int) -> None:
        """End a worker that stands still; its end is told as one of its own accord."""
        self._killed.add(worker)
        self._processes.kill(self._nodes[worker].process)

    def clear(self) -> None:
        """Forget all workers, which somebody else ends; none is started any more."""
        self._alarm.close()
        for node in self._all():
            self._let_go(node)

    def _stands_still(self, worker: int, long_since_ns: int) -> bool:
        """Whether a worker that is behind does nothing about it."""
        state, behind = state_of(self._nodes[worker].process.pid), self._behind[worker]
        if state == RUNNABLE or behind.passed != self.passed(worker):
            return False
        return state in STOPPED or behind.seen_ns <= long_since_ns

    def _is_at_work(self, worker: int) -> bool:
        return self._nodes[worker].ring.is_open and worker not in self._killed

    def _all(self) -> list[Node]:
        return list(self._nodes.values())

    def _let_go(self, node: Node) -> None:
        """What it had finished is still to be read; its ring is fit for another."""
        del self._nodes[node.number]
        self._killed.discard(node.number)
        self._left.append(FinishedBatches(node.number, *node.ring.read()))
        node.call.close()
        node.ring.recycle()
        self._free_rings.append(node.ring)
