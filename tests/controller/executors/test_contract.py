"""The executors that come along keep the contract, and the checks find those that do not."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from controller.executors import checks
from controller.executors.batch import FinishedBatches
from controller.executors.checks import CHECKS, check
from controller.executors.cpu.executor import CpuExecutor
from controller.executors.executor import Placement, Process, Task
from controller.executors.null import NullExecutor
from controller.executors.stream_table import Assignment
from controller.executors.trial import ExecutorFault, MakeExecutor
from policies.knobs import KnobValue, Settings
from policies.proposal import Refusal


class VirtualTime:
    """Passes at once."""

    def __init__(self) -> None:
        self.time_ns = 0

    def now_ns(self) -> int:
        return self.time_ns

    def pass_s(self, seconds: float) -> None:
        self.time_ns += int(seconds * 1e9)


def check_silence(name: str, kind: type[NullExecutor] = NullExecutor) -> None:
    clock = VirtualTime()
    make: MakeExecutor = lambda settings: kind(settings, 0.1, clock.now_ns)  # noqa: E731
    check(name, make, clock)


@pytest.mark.parametrize("name", CHECKS)
def test_silence_keeps_the_contract(name: str) -> None:
    check_silence(name)


@pytest.mark.live
@pytest.mark.parametrize("name", CHECKS)
def test_worker_processes_keep_the_contract(name: str) -> None:
    check(name, CpuExecutor)


class TellsOfNoBatchSize(NullExecutor):
    def in_force(self) -> Settings:
        return Settings.of({"nodes": 1})


class RendersTwice(NullExecutor):
    def read(self) -> list[FinishedBatches]:
        return [each for each in super().read() for _ in range(2)]


class SkipsABlock(NullExecutor):
    def _serve(self, timetable, block: int) -> None:
        if block != 30:
            super()._serve(timetable, block)


class RendersForAnother(NullExecutor):
    def read(self) -> list[FinishedBatches]:
        finished = super().read()
        for each in finished:
            each.batches["shard"] += 1
        return finished


class FinishesBeforeItStarts(NullExecutor):
    def read(self) -> list[FinishedBatches]:
        finished = super().read()
        for each in finished:
            each.batches["finish_ns"] -= 1_000_000
        return finished


class LosesABlockWithEachChange(NullExecutor):
    def _serve(self, timetable, block: int) -> None:
        announced = [each.from_block for each in self._announced if each.version > 1]
        if block not in announced:
            super()._serve(timetable, block)


class IsDeafToNodes(NullExecutor):
    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        return None if knob == "nodes" else super().apply(knob, value)


class SoundsOtherwiseOnAnotherWorker(NullExecutor):
    def read(self) -> list[FinishedBatches]:
        finished = super().read()
        for each in finished:
            each.buses[:] = np.float32(each.worker)
        return finished


class TakesItsTime(NullExecutor):
    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        started_s = time.perf_counter()
        while time.perf_counter() - started_s < 0.06:
            pass
        return super().apply(knob, value)


class RaisesWhateverComes(NullExecutor):
    def schedule_task(self, task: Task) -> Placement:
        if task.slot == 12:
            raise IndexError(task.slot)
        return super().schedule_task(task)


class TakesAnything(NullExecutor):
    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        return None


class DiesUnnoticed(NullExecutor):
    def start(self, timetable) -> None:
        super().start(timetable)
        self.schedule_task(Task("audio", "km-idle", run=signal.pause))

    def reap(self) -> tuple[Process, ...]:
        super().reap()
        return ()


class IsNotWokenByADeath(DiesUnnoticed):
    def descriptors(self) -> tuple[int, ...]:
        return (self._silent,)

    def start(self, timetable) -> None:
        super().start(timetable)
        self._silent, self._other_end = os.pipe()

    def close(self) -> None:
        super().close()
        for each in ("_silent", "_other_end"):
            if each in vars(self):
                os.close(vars(self).pop(each))


class FallsSilentWithADeath(DiesUnnoticed):
    def reap(self) -> tuple[Process, ...]:
        ended = NullExecutor.reap(self)
        if ended:
            self.stop_rendering = True
        return ended

    def read(self) -> list[FinishedBatches]:
        return [] if hasattr(self, "stop_rendering") else super().read()


class LeavesAProcess(NullExecutor):
    def close(self) -> None:
        if self._timetable is None:
            super().close()
        self._timetable = None


class GoesOnWhenClosed(NullExecutor):
    def advance(self) -> Assignment | None:
        return super().advance() or self.table.latest()


@pytest.mark.parametrize(
    ("name", "kind", "why"),
    [
        ("introduces_itself", TellsOfNoBatchSize, "in force are {'nodes'}"),
        ("counts_add_up", RendersTwice, "of a stream is rendered twice"),
        ("counts_add_up", SkipsABlock, "absent=7"),
        ("counts_add_up", RendersForAnother, "shard 2 has streams 0 to 9"),
        ("counts_add_up", FinishesBeforeItStarts, "are out of order"),
        ("turns_without_loss", LosesABlockWithEachChange, r"absent=\d"),
        ("turns_without_loss", IsDeafToNodes, "nodes 3 never comes into force"),
        ("remembers", SoundsOtherwiseOnAnotherWorker, "differs by .* once its streams have moved"),
        ("answers_at_once", TakesItsTime, r"is taken after 0\.0"),
        ("refuses_what_cannot_be", RaisesWhateverComes, "raises IndexError"),
        ("refuses_what_cannot_be", TakesAnything, "takes 'no such value'"),
        ("survives_a_death", DiesUnnoticed, "does not notice that process"),
        ("survives_a_death", FallsSilentWithADeath, "not all play on without process"),
        ("loses_nothing_at_a_death", FallsSilentWithADeath, r"absent=\d"),
        ("survives_a_death", IsNotWokenByADeath, "none of its descriptors is readable"),
        ("closes_on_every_route", LeavesAProcess, r"closed at_play, it leaves \[\d+\]"),
        ("closes_on_every_route", GoesOnWhenClosed, "goes on when it is closed"),
    ],
)
def test_what_breaks_the_contract_is_named(
    name: str, kind: type[NullExecutor], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "WAKING_S", 0.5)
    with pytest.raises(ExecutorFault, match=why):
        check_silence(name, kind)
