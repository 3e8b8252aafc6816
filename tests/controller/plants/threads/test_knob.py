"""Effects that the knob of threads that are not ours awaits, before anything else is turned."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
from fake_linux import AUDIO, FOUND, FakeLease, FakeLinux, FakeThreads
from fakes import FakeClock

from controller.config.config import Config
from controller.linux import scheduling
from controller.linux.permissions import Permissions
from controller.linux.process_id import ProcessId
from controller.linux.scheduling import ThreadId
from controller.plants.plant import Surroundings
from controller.plants.threads.knob import EXPORTING, ThreadKnob
from policies.knobs import SchedulingClass, ThreadClass, ThreadClasses

PLAYER = {ProcessId(11, 1): (187.5,)}
LATER = ThreadId(33, 5)
SOUGHT = "the audio threads are sought, to be scheduled as before"
ANEW = "audio threads were scheduled anew, and what comes of it is awaited"


class Rig:
    """The knob, turned to real-time at 1000 s, with scheduling and a clock in numbers."""

    def __init__(self, linux: FakeLinux) -> None:
        linux.now[LATER] = FOUND
        self.linux, self.clock = linux, FakeClock()
        permissions = Permissions(realtime=True, nice=True, priority_max=70, cpus=frozenset({0}))
        lease = FakeLease(linux)
        self.knob = ThreadKnob(Surroundings(Config(), self.clock, lease, permissions))  # type: ignore[arg-type]
        self.threads = FakeThreads()
        self.knob._threads = self.threads  # type: ignore[assignment]
        self.knob._background = SimpleNamespace(processes=tuple)  # type: ignore[assignment]
        self.second()
        wanted = ThreadClasses(audio=ThreadClass(SchedulingClass.REALTIME, priority=60))
        assert self.knob.apply(wanted) is None

    def second(self, *, lag_s: float = 0.0) -> str:
        """The reason to wait after another second, where counts are so old."""
        self.clock.time_s += 1.0
        self.knob.look(PLAYER)
        return self.knob.knob(self.clock.time_s - lag_s).awaits


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    linux = FakeLinux()
    monkeypatch.setattr(scheduling, "write", linux.write)
    monkeypatch.setattr(scheduling, "read", lambda thread: linux.now[thread])
    return Rig(linux)


def test_nothing_is_awaited_of_what_a_policy_turned(rig: Rig) -> None:
    assert [rig.second() for _ in range(3)] == ["", "", ""]


def test_threads_that_come_later_are_awaited_as_a_change_is(rig: Rig) -> None:
    rig.threads.found[LATER] = FOUND
    assert [rig.second() for _ in range(4)] == [ANEW, ANEW, "", ""]
    assert rig.linux.now[LATER].policy == rig.linux.now[AUDIO].policy != FOUND.policy


def test_counts_that_come_late_are_awaited_longer(rig: Rig) -> None:
    rig.threads.found[LATER] = FOUND
    awaited = [rig.second(lag_s=2.0) for _ in range(6)]
    assert awaited == [ANEW, ANEW, ANEW, ANEW, "", ""]


def test_threads_of_a_server_that_was_started_again_are_sought_first(rig: Rig) -> None:
    rig.threads.found = {}
    assert [rig.second() for _ in range(3)] == [SOUGHT] * 3
    rig.threads.found = {LATER: FOUND}
    assert rig.second() == ANEW
    rig.threads.found = {}
    assert [rig.second() for _ in range(12)][-2:] == [SOUGHT, ""]


def test_what_was_reset_is_scheduled_anew_told_and_awaited(rig: Rig) -> None:
    rig.linux.now[AUDIO] = FOUND
    assert rig.second() == ANEW
    assert rig.knob.reset == "a thread was reset by its program or the server, and scheduled anew"
    assert rig.second() == ANEW
    assert rig.knob.reset == ""


def test_at_rest_threads_are_let_be_and_brought_in_line_afterwards(rig: Rig) -> None:
    for _ in range(3):
        rig.clock.time_s += 1.0
        rig.linux.now[AUDIO] = FOUND
        rig.knob.rest(PLAYER, exporting=False)
        assert rig.linux.now[AUDIO] == FOUND
    assert rig.second() == ANEW
    assert rig.linux.now[AUDIO] != FOUND


def test_threads_that_play_as_fast_as_they_can_are_restored_until_a_deadline_holds(
    rig: Rig,
) -> None:
    raised = rig.linux.now[AUDIO]
    for _ in range(2):
        rig.knob.rest(PLAYER, exporting=True)
        assert rig.linux.now[AUDIO] == FOUND
        assert rig.second() == ANEW
        assert rig.linux.now[AUDIO] == raised


def test_beside_an_export_threads_are_restored_and_nobody_is_blamed(rig: Rig) -> None:
    raised = rig.linux.now[AUDIO]
    rig.knob.look(PLAYER, exporting=True)
    assert rig.linux.now[AUDIO] == FOUND
    assert rig.knob.in_force() is None
    assert rig.knob.knob().obstacle == EXPORTING
    assert rig.second() == ANEW
    assert rig.linux.now[AUDIO] == raised
    assert rig.knob.knob().obstacle == ""


def test_during_an_export_what_is_asked_for_waits_for_its_end(rig: Rig) -> None:
    rig.knob.restore()
    rig.knob.look(PLAYER, exporting=True)
    assert rig.knob.knob().obstacle == EXPORTING
    assert rig.knob.apply(ThreadClasses(audio=ThreadClass(SchedulingClass.REALTIME, 60))) is None
    assert rig.linux.now[AUDIO] == FOUND
    assert rig.second() == ANEW
    assert rig.linux.now[AUDIO] != FOUND


def test_without_a_deadline_threads_that_pause_stay_as_they_are(rig: Rig) -> None:
    raised = rig.linux.now[AUDIO]
    rig.knob.rest(PLAYER, exporting=False)
    assert rig.linux.now[AUDIO] == raised


def test_what_a_server_makes_real_time_in_its_export_keeps_the_priority_that_it_was_given(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = rig.linux.now[AUDIO] = replace(FOUND, policy=os.SCHED_FIFO, priority=20)
    monkeypatch.setattr(FakeLease, "deregister", lambda *_: None)  # nothing is left to restore
    rig.knob.rest(PLAYER, exporting=True)
    rig.second()
    rig.second()
    assert rig.linux.now[AUDIO] == given


def test_a_program_that_makes_threads_all_along_holds_nothing_up_for_ever(rig: Rig) -> None:
    awaited = []
    for number in range(100, 130):
        rig.threads.found = {ThreadId(number, 1): FOUND}
        rig.linux.now[ThreadId(number, 1)] = FOUND
        awaited.append(rig.second())
    assert awaited == [ANEW] * 11 + [""] * 19
