"""An executor on trial: it plays, and every block that it renders is held against what is due."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from controller.executors.batch import FinishedBatches
from controller.executors.executor import Executor, ExecutorSettings, Process, Task
from controller.executors.stream_table import NOBODY, Assignment
from controller.executors.timetable import Timetable
from controller.workloads.workload import WorkloadSettings
from policies.knobs import KnobValue

MakeExecutor = Callable[[ExecutorSettings], Executor]
SAMPLE_RATE_HZ, FRAMES, SLOTS, NODES_MAX = 48_000, 256, 12, 3
PERIOD_NS = 1e9 * FRAMES / SAMPLE_RATE_HZ
LEAD_IN_NS, BUFFER_NS = 100_000_000, 600_000_000_000
STEP_S, PATIENCE_S = 0.01, 20.0
BLOCKS_IN_WORK = 20
"""Blocks after which a block has been rendered on any machine that keeps up at all."""
STAMPS = ("captured_ns", "ready_ns", "start_ns", "fetched_ns", "computed_ns", "finish_ns")
NOT_FINISHED = np.iinfo(np.int64).max


class ExecutorFault(AssertionError):  # noqa: N818 - what an executor does wrong
    """An executor does not keep to what is asked of every executor."""


class Time(Protocol):
    """The clock that an executor renders by; one that moves at once makes a trial take no time."""

    def now_ns(self) -> int:
        """The time, nanoseconds."""
        ...

    def pass_s(self, seconds: float) -> None:
        """Return after so long."""
        ...


class MonotonicTime:
    """The monotonic clock of this machine."""

    def now_ns(self) -> int:
        """The time, nanoseconds."""
        return time.monotonic_ns()

    def pass_s(self, seconds: float) -> None:
        """Sleep for so long."""
        time.sleep(seconds)


class Noise:
    """Input that differs for each slot and block, and is the same whenever it is asked for."""

    def __init__(self) -> None:
        self._blocks = np.random.default_rng(1).normal(0.0, 0.1, (97, FRAMES)).astype(np.float32)

    def gather(self, block_index: int, slots: NDArray[np.intp], out: NDArray[np.float32]) -> None:
        """Fill `out`, (n, frames)."""
        out[:] = self._blocks[(31 * slots + block_index) % len(self._blocks)]


@dataclass(frozen=True, slots=True)
class Counts:
    """Blocks of streams; what is absent will be concealed or lost by whoever plays them."""

    submitted: int
    absent: int


class Trial:
    """Plays streams on an executor, as a context that closes it.

    `steady_from` is the block from which its first streams play, `ended` what the executor told
    of its processes, `mix` the sound of each block, (2, frames). The buffer is longer than any
    trial, so that no block comes too late to be rendered, however busy the machine.

    Raises ExecutorFault for a block that one worker hands on twice, or two while none was lost, for
    streams that a shard does not have, for stamps out of order, and for whatever never comes about.
    """

    def __init__(self, make: MakeExecutor, clock: Time, workload: str = "hrtf") -> None:
        made_with = WorkloadSettings(SAMPLE_RATE_HZ, FRAMES, SLOTS, taps=512)
        limits = {"nodes": NODES_MAX}
        self.executor = make(ExecutorSettings(workload, made_with, Noise(), limits=limits))
        self.clock = clock
        self.ended: list[Process] = []
        self.steady_from = 0
        self.mix: dict[int, NDArray[np.float32]] = defaultdict(
            lambda: np.zeros((2, FRAMES), np.float32)
        )
        self._assignments = [Assignment(0, 0, 1, np.full(SLOTS, NOBODY, np.int16))]
        self._finish_ns: dict[int, NDArray[np.int64]] = defaultdict(
            lambda: np.full(SLOTS, NOT_FINISHED)
        )
        self._worker: dict[int, NDArray[np.int64]] = defaultdict(lambda: np.full(SLOTS, NOBODY))
        self._timetable = Timetable(0, PERIOD_NS, round(PERIOD_NS), BUFFER_NS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.close()

    @property
    def block(self) -> int:
        """The block that is captured now."""
        return self._timetable.capturing(self.clock.now_ns())

    def start(self, streams: int) -> None:
        """Start, and play so many streams once all workers are at work."""
        start_ns = self.clock.now_ns() + LEAD_IN_NS
        self._timetable = Timetable(start_ns, PERIOD_NS, round(PERIOD_NS), BUFFER_NS)
        self.executor.start(self._timetable)
        self.wait_for(lambda: self.executor.is_ready, "it never becomes ready")
        self.admit(range(streams))
        self.settle()
        self.steady_from = self._assignments[-1].from_block

    def admit(self, slots: Iterable[int]) -> None:
        """Have streams join."""
        for slot in slots:
            self.executor.schedule_task(Task("audio", f"stream {slot}", slot=slot))

    def turn(self, knob: str, value: KnobValue) -> None:
        """Ask for a value, and play until it is in force."""
        refusal = self.executor.apply(knob, value)
        if refusal is not None:
            raise ExecutorFault(f"{knob} may be {value}, and is refused: {refusal.reason}")
        what_not = f"{knob} {value} never comes into force"
        self.wait_for(lambda: self.executor.in_force().get(knob) == value, what_not)
        self.settle()

    def settle(self) -> None:
        """Play until what was announced is in force, and some blocks beyond."""
        self.play(BLOCKS_IN_WORK)
        announced = self._assignments[-1].from_block
        self.wait_for(lambda: self.block > announced + BLOCKS_IN_WORK, "it stands still")

    def play(self, blocks: int) -> None:
        """Play so many blocks."""
        until = self.block + blocks
        self.wait_for(lambda: self.block >= until, "it stands still")

    def step(self) -> None:
        """Read, reap and advance once, as a pipeline does."""
        self.clock.pass_s(STEP_S)
        for finished in self.executor.read():
            self._collect(finished)
        self.ended += self.executor.reap()
        if (assignment := self.executor.advance()) is not None:
            self._assignments.append(assignment)

    def wait_for(self, holds: Callable[[], bool], what_not: str) -> None:
        """Play until it holds. Raises ExecutorFault where it does not within the patience."""
        give_up_ns = self.clock.now_ns() + int(PATIENCE_S * 1e9)
        while not holds():
            if self.clock.now_ns() > give_up_ns:
                raise ExecutorFault(what_not)
            self.step()

    def counts(self, blocks: range) -> Counts:
        """The account of these blocks, once all are rendered or the patience is at its end."""
        give_up_ns = self.clock.now_ns() + int(PATIENCE_S * 1e9)
        missing = list(blocks)
        while missing and self.clock.now_ns() < give_up_ns:
            missing = [block for block in missing if not self._is_whole(block)]
            self.step()
        return self._count(blocks)

    def is_whole(self, blocks: range) -> bool:
        """Whether each of these blocks of each stream is there by now."""
        return all(map(self._is_whole, blocks))

    def _is_whole(self, block: int) -> bool:
        finish_ns = self._finish_ns[block][self._assignment(block).live]
        return bool((finish_ns != NOT_FINISHED).all())

    def _count(self, blocks: range) -> Counts:
        submitted = absent = 0
        for block in blocks:
            finish_ns = self._finish_ns[block][self._assignment(block).live]
            submitted += len(finish_ns)
            absent += int(np.count_nonzero(finish_ns == NOT_FINISHED))
        return Counts(submitted, absent)

    def _assignment(self, block: int) -> Assignment:
        return next(each for each in reversed(self._assignments) if each.from_block <= block)

    def _collect(self, finished: FinishedBatches) -> None:
        for batch, bus in zip(finished.batches, finished.buses, strict=True):
            names = "block", "shard", "first", "count"
            block, shard, first, count = (int(batch[name]) for name in names)
            streams = self._assignment(block).slots_of(shard)
            slots = streams[first : first + count]
            if len(slots) != count or count < 1:
                why = f"of block {block}, of which it has {len(streams)}"
                raise ExecutorFault(f"shard {shard} has streams {first} to {first + count} {why}")
            self._check_stamps(block, [int(batch[name]) for name in STAMPS])
            if self._is_new(block, slots, finished.worker):
                self._finish_ns[block][slots] = batch["finish_ns"]
                self._worker[block][slots] = finished.worker
                self.mix[block] += bus

    def _is_new(self, block: int, slots: NDArray[np.intp], worker: int) -> bool:
        """Whether nobody has handed this on before; another may have, if a worker was lost."""
        before = self._finish_ns[block][slots] != NOT_FINISHED
        if before.any() and (not self.ended or (self._worker[block][slots] == worker).any()):
            raise ExecutorFault(f"block {block} of a stream is rendered twice")
        return not before.any()

    def _check_stamps(self, block: int, stamps: list[int]) -> None:
        if stamps[0] != self._timetable.captured_ns(block):
            raise ExecutorFault(f"block {block} is not captured when the timetable says")
        if stamps != sorted(stamps) or stamps[-1] > self.clock.now_ns():
            raise ExecutorFault(f"the stamps of block {block} are out of order: {stamps}")
