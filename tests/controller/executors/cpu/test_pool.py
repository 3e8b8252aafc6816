"""Which workers of a pool are held to be frozen."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from controller.executors.cpu import pool as module
from controller.executors.cpu.pool import WorkerPool
from controller.executors.executor import ExecutorSettings, Process
from controller.executors.shards.ownership import Ownership
from controller.executors.stream_table import StreamTable
from controller.executors.timetable import Timetable
from controller.workloads.workload import WorkloadSettings

MS = 1_000_000
TIMETABLE = Timetable(start_ns=0, period_ns=5.0 * MS, deadline_ns=5 * MS, buffer_ns=20 * MS)


class Silence:
    def gather(self, block_index: int, slots: np.ndarray, out: np.ndarray) -> None:
        out[:] = 0.0


class Processes:
    """Starts nothing, and remembers whose work it was to run and whom to kill."""

    def __init__(self) -> None:
        self.rings = []
        self.killed: list[str] = []

    def start(self, name: str, work_class: str, run) -> Process:
        self.rings.append(run.__self__._ring)
        return Process(1000 + len(self.rings), name, work_class)

    def kill(self, process: Process) -> None:
        self.killed.append(process.name)


class Rig:
    """A pool of one worker, a clock, and the state in which the kernel has its process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns, self.state = 0, "S"
        self.processes = Processes()
        settings = ExecutorSettings("hrtf", WorkloadSettings(48_000, 4, 2), Silence())
        given = StreamTable(2, 8), Ownership(1), self.processes
        self.pool = WorkerPool(settings, SimpleNamespace(), *given, 1)  # type: ignore[arg-type] # fakes
        monkeypatch.setattr(module, "state_of", lambda _: self.state)
        clock = SimpleNamespace(monotonic_ns=lambda: self.now_ns)
        monkeypatch.setattr(module, "time", clock)
        self.pool.start(7, TIMETABLE)
        self.processes.rings[0].open(0)

    def close(self) -> None:
        self.pool.clear()

    def look(self, at_ms: float, passed: int) -> list[int]:
        """Whom it holds to be frozen at that time, the worker being through with that block."""
        self.processes.rings[0].passed_by(passed)
        self.now_ns = int(at_ms * MS)
        return self.pool.frozen(TIMETABLE)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    made = Rig(monkeypatch)
    yield made
    made.close()


def test_a_stopped_worker_is_frozen_once_a_block_is_due(rig: Rig) -> None:
    rig.state = "T"
    assert rig.look(9.9, passed=-1) == []
    assert rig.look(10.1, passed=-1) == [7]


def test_a_worker_that_is_through_with_what_is_due_is_not_frozen(rig: Rig) -> None:
    rig.state = "T"
    assert rig.look(10.1, passed=0) == []


def test_a_worker_that_waits_for_a_processor_is_not_frozen(rig: Rig) -> None:
    rig.state = "R"
    assert [rig.look(at_ms, passed=-1) for at_ms in (10.1, 15.1, 20.1)] == [[], [], []]


def test_a_worker_asleep_is_frozen_when_it_stands_still_for_a_period(rig: Rig) -> None:
    assert [rig.look(at_ms, passed=-1) for at_ms in (10.1, 10.2, 15.2)] == [[], [], [7]]


def test_a_worker_asleep_that_comes_on_is_not_frozen(rig: Rig) -> None:
    assert [rig.look(10.1, passed=-1), rig.look(15.1, passed=0)] == [[], []]
    assert rig.look(20.1, passed=1) == []


def test_a_killed_worker_is_at_work_no_longer(rig: Rig) -> None:
    assert rig.pool.ready() == [7]
    rig.pool.kill(7)
    assert rig.pool.ready() == []
    assert rig.processes.killed == ["km-audio-7"]
