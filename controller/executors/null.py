"""The null executor: silence at a stated service time, without a worker or a sound."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, cast

import numpy as np

from controller.executors.balancer import Balancer
from controller.executors.batch import BATCH, FinishedBatches
from controller.executors.executor import ExecutorSettings, Placement, Process, Task, refused
from controller.executors.processes import ProcessGroup
from controller.executors.shards.takeover import Takeover
from controller.executors.stream_table import Assignment, StreamTable
from controller.executors.timetable import Timetable
from policies.constants import Range
from policies.knobs import Bounds, Choice, Knob, KnobValue, Settings
from policies.observation import Reading, Value
from policies.proposal import Refusal

BATCH_SIZES = (8, 64)
FINISH = list(BATCH.fields or ()).index("finish_ns")
"""Place of the instant of finish in a record."""
LEAD_BLOCKS = 2
"""Blocks from an announcement until it is in force."""


class NullExecutor:
    """Takes `service_ms` for each batch, however many streams it has, on `nodes` workers.

    Each has the shard of its own number, and none can die.

    Nothing but the clock `now_ns`, in nanoseconds, decides what is finished when: with a clock of
    one's own a run repeats to the letter. Other work still gets a process.
    """

    name = "null"

    def __init__(
        self,
        settings: ExecutorSettings,
        service_ms: Annotated[float, Range(0.0)] = 0.1,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._settings = settings
        self._service_ns = int(service_ms * 1e6)
        self._now_ns = now_ns
        self._values = {"batch_size": 64, "nodes": 1} | {
            knob: cast(int, value)
            for knob, value in settings.knobs.items()
            if knob in ("batch_size", "nodes")
        }
        self.table = StreamTable(settings.slots, self._values["batch_size"])
        self._balancer = Balancer(self.name, self.table)
        self._processes = ProcessGroup()
        self._timetable: Timetable | None = None
        self._announced: deque[Assignment] = deque([self.table.latest()])
        self._block = 0
        self._busy_until_ns: dict[int, int] = {}
        self._finished: dict[int, deque[tuple[int, ...]]] = {}

    @property
    def is_ready(self) -> bool:
        """Whether it was started."""
        return self._timetable is not None

    def start(self, timetable: Timetable) -> None:
        """Render from the first block on."""
        self._timetable = timetable

    def knobs(self) -> Mapping[str, Knob]:
        """Streams per batch, and workers."""
        nodes = Bounds(1, self._settings.limits.get("nodes", 4))
        return {
            "batch_size": Knob("batch_size", Choice(BATCH_SIZES), "cpu"),
            "nodes": Knob("nodes", nodes, "cpu"),
        }

    def in_force(self) -> Settings:
        """The values asked for last."""
        return Settings.of(self._values)

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Take the value from the next assignment on."""
        if (refusal := refused(self.knobs(), knob, value)) is not None:
            return refusal
        self._values[knob] = cast(int, value)
        return None

    def readings(self) -> Mapping[str, Reading]:
        """The service time of a batch."""
        return MappingProxyType({"null.service_ms": Value(self._service_ns / 1e6)})

    def schedule_task(self, task: Task) -> Placement:
        """Put a stream into the smallest shard, or start a process for other work."""
        if task.run is not None:
            return Placement(None, self._processes.start(task.name, task.work_class, task.run))
        return self._balancer.place(task, self._shards)

    def release(self, slot: int) -> None:
        """Take a stream out of its shard."""
        self._balancer.release(slot)

    def advance(self) -> Assignment | None:
        """Announce what was asked for, once what was announced last is in force."""
        if self._timetable is None:
            return None
        block = self._timetable.capturing(self._now_ns())
        if self._balancer.is_pending(block):
            return None
        self._balancer.balance(self._shards)
        made = self._balancer.announce(block + LEAD_BLOCKS, self._values["batch_size"])
        if made is not None:
            self._announced.append(made)
        return made

    def read(self) -> list[FinishedBatches]:
        """Batches whose service has passed since the last call."""
        if self._timetable is None:
            return []
        now_ns = self._now_ns()
        while self._timetable.captured_ns(self._block) <= now_ns:
            self._serve(self._timetable, self._block)
            self._block += 1
        return [self._hand_on(worker, now_ns) for worker in sorted(self._finished)]

    def descriptors(self) -> tuple[int, ...]:
        """One for each process beside the sound, readable when it has ended."""
        return self._processes.descriptors()

    def takeovers(self) -> tuple[Takeover, ...]:
        """None: no worker is ever lost."""
        return ()

    def reap(self) -> tuple[Process, ...]:
        """Processes beside the sound that have died."""
        return self._processes.reap()

    def processes(self) -> Mapping[str, tuple[int, ...]]:
        """Process ids of the work beside the sound, by class."""
        return self._processes.by_class()

    def close(self) -> None:
        """End the work beside the sound, and render no more."""
        self._timetable = None
        self._processes.stop_all()

    @property
    def _shards(self) -> range:
        return range(1, 1 + (self._values["nodes"] if self.is_ready else 0))

    def _serve(self, timetable: Timetable, block: int) -> None:
        """Serve a block on each worker that has a share of it and can still be in time."""
        while len(self._announced) > 1 and self._announced[1].from_block <= block:
            self._announced.popleft()
        assignment = self._announced[0]
        for worker in np.unique(assignment.shards[assignment.live]).tolist():
            if self._busy_until_ns.get(worker, 0) < timetable.played_ns(block):
                batches = self._batches(worker, block, assignment, timetable.captured_ns(block))
                self._finished.setdefault(worker, deque()).extend(batches)

    def _batches(
        self, worker: int, block: int, assignment: Assignment, captured_ns: int
    ) -> Iterator[tuple[int, ...]]:
        """A worker's shard of a block as records, fields in the order of BATCH."""
        share, size = len(assignment.slots_of(worker)), assignment.batch_size
        for first in range(0, share, size):
            start_ns = max(captured_ns, self._busy_until_ns.get(worker, 0))
            finish_ns = self._busy_until_ns[worker] = start_ns + self._service_ns
            stamps = (captured_ns, start_ns, start_ns, start_ns, finish_ns, finish_ns)
            yield (block, worker, first, min(size, share - first), *stamps, self._service_ns)

    def _hand_on(self, worker: int, now_ns: int) -> FinishedBatches:
        waiting, done = self._finished[worker], []
        while waiting and waiting[0][FINISH] <= now_ns:
            done.append(waiting.popleft())
        silence = np.zeros((len(done), 2, self._settings.period_frames), np.float32)
        return FinishedBatches(worker, np.array(done, BATCH), silence)
