"""The contract of an executor: whatever renders the blocks of streams, on whatever hardware."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from controller import plugins
from controller.executors.batch import FinishedBatches
from controller.executors.shards.takeover import Takeover
from controller.executors.start_values import replacements
from controller.executors.stream_table import Assignment, StreamTable
from controller.executors.timetable import Timetable
from controller.executors.vram.config import VRAMConfig
from controller.workloads.backend import Backend
from controller.workloads.workload import Workload, WorkloadSettings
from policies.knobs import Knob, KnobValue, Settings
from policies.observation import Reading
from policies.proposal import Refusal

WORKLOAD_NEEDS = ("memory_blocks", "reset", "process")
"""Names of what a workload has to have."""


class InputBlocks(Protocol):
    """Where a stream's sound comes from; any block can be asked for again."""

    def gather(self, block_index: int, slots: NDArray[np.intp], out: NDArray[np.float32]) -> object:
        """Fill `out`, (n, period_frames), with that block of each slot."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ExecutorSettings:
    """All that any executor may need, so that every one is constructed alike.

    `workload` is named, and made by the executor where it renders: on a device, or on another
    machine. `knobs` are the values to start with and `limits` the most that a knob may reach;
    an executor ignores what it has no knob for, and chooses itself what is not given. `vram` says
    how much of a device's memory may be taken.
    """

    workload: str
    workload_settings: WorkloadSettings
    inputs: InputBlocks
    knobs: Mapping[str, KnobValue] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    vram: VRAMConfig = field(default_factory=VRAMConfig)

    @property
    def slots(self) -> int:
        """The most streams that can be live at once."""
        return self.workload_settings.slots

    @property
    def period_frames(self) -> int:
        """Frames per block."""
        return self.workload_settings.period_frames

    def make_workload(self, backend: Backend) -> Workload:
        """The workload on that backend, with the constants that its name ends with.

        Raises PlugInError where there is none of that name, or it cannot be made.
        """
        given = self.workload_settings, backend
        made: Workload = plugins.make("workloads", self.workload, WORKLOAD_NEEDS, *given)
        return made


@dataclass(frozen=True, slots=True)
class Task:
    """Work of one class: a live stream to render (`slot`), or a process of its own (`run`)."""

    work_class: str
    name: str
    slot: int | None = None
    run: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it was observed, by its id on the machine where it runs.

    `work_class` is one of audio, analysis, visualisation, background.
    """

    pid: int
    name: str
    work_class: str


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a task runs: the shard of a stream, or the process started for other work."""

    shard: int | None
    process: Process | None


class Executor(Protocol):
    """Renders the streams it is given, block by block, on workers of its own.

    A worker is a process, a device, a node of a cluster. Workers join once they are at work,
    however long they take to start; one that is to leave renders until the block at which its
    streams are elsewhere. The assignment in force says which streams make up a shard, which one
    worker renders, and every block of every shard is handed on. A stream that moves to another
    shard sounds as if it had never moved: its memory is replayed from the inputs
    (`Workload.memory_blocks`) or carried along.

    Shards of a worker that dies or freezes change hands at once (`Ownership`): the new owner
    replays their memory, hands on what is owed and not yet played, and goes on with them; what two
    workers have handed on counts once. The sum of the batches of a shard is the same to the bit
    whoever renders it, where the workload's memory is finite.

    Constructing may take its time to compile, plan and allocate. From `start` on sound plays, and
    no method blocks for longer than a few milliseconds: what is asked for is noted, and comes about
    in `advance`. All are called by one thread. `controller.executors.checks` holds an executor to
    all this.

    Raises ExecutorError, from the constructor and `start`, where it cannot render here, and
    PlugInError for a workload that does not exist.
    """

    @property
    def name(self) -> str:
        """The name it is chosen by."""
        ...

    @property
    def table(self) -> StreamTable:
        """The streams of every shard, in shared memory, for processes forked afterwards."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether every worker that should render is at work, so that streams may come."""
        ...

    def start(self, timetable: Timetable) -> None:
        """Start what renders by this timetable, without waiting until it is at work."""
        ...

    def knobs(self) -> Mapping[str, Knob]:
        """Knobs that this executor brings; one that cannot be turned now has an obstacle."""
        ...

    def in_force(self) -> Settings:
        """The value of every knob as it is in force; before `start`, that to start with."""
        ...

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Ask for a value, which comes into force without losing a block; None where taken."""
        ...

    def readings(self) -> Mapping[str, Reading]:
        """Figures that only this executor knows, by dotted name, such as gpu.utilisation."""
        ...

    def schedule_task(self, task: Task) -> Placement:
        """Put a stream into a shard, or start a process of this machine for other work.

        Raises ExecutorError for a task that is neither, a slot that does not exist, and a stream
        while no worker takes any.
        """
        ...

    def release(self, slot: int) -> None:
        """Take a stream out of its shard."""
        ...

    def advance(self) -> Assignment | None:
        """Come closer to what was asked for; the assignment that this announces, if any.

        Called about every 20 ms. An assignment names a block that is still to come.
        """
        ...

    def read(self) -> list[FinishedBatches]:
        """Batches that each worker has finished since the last call."""
        ...

    def descriptors(self) -> tuple[int, ...]:
        """File descriptors, one of which is readable when `reap` should be called at once."""
        ...

    def reap(self) -> tuple[Process, ...]:
        """Processes and nodes that have ended of their own accord since the last call.

        Gives the shards of those that died or froze to others. Called about every 20 ms, and when
        one of the `descriptors` is readable, which it then no longer is.
        """
        ...

    def takeovers(self) -> tuple[Takeover, ...]:
        """Shards of lost workers that others have caught up with since the last call."""
        ...

    def processes(self) -> Mapping[str, tuple[int, ...]]:
        """Process ids on this machine by class of work, for the scheduler to act on."""
        ...

    def close(self) -> None:
        """End every process and let go of every device; harmless before `start` and again."""
        ...


def refused(knobs: Mapping[str, Knob], knob: str, value: KnobValue) -> Refusal | None:
    """Why a value cannot be asked for; None where the knob exists and can have it."""
    if knob in knobs and knobs[knob].domain.allows(value):
        return None
    return Refusal(knob, f"no knob {knob} takes {value!r}")


def make_executor(name: str, settings: ExecutorSettings) -> Executor:
    """The executor of that name, which may end with constants of its own: `null:service_ms=2`.

    One that would start with a value that its own knob cannot have starts with the nearest that
    it can: what is configured is meant for any executor. Raises PlugInError where there is none,
    and where it cannot be made or lacks a method; an error that a user can mend comes as it is.
    """
    made = _made(name, settings)
    replaced = replacements(made.knobs(), made.in_force())
    if not replaced:
        return made
    made.close()
    return _made(name, replace(settings, knobs={**settings.knobs, **replaced}))


def _made(name: str, settings: ExecutorSettings) -> Executor:
    made: Executor = plugins.make("executors", name, plugins.members(Executor), settings)
    return made
