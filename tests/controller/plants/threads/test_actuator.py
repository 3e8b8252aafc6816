"""Scheduling of the classes of work, on threads that exist only in numbers."""

import os

import pytest
from fake_linux import AUDIO, BACKGROUND, FOUND, FakeLease, FakeLinux

from controller.errors import StarvationError
from controller.linux import scheduling
from controller.linux.scheduling import Scheduling
from controller.plants.threads.actuator import ThreadClassActuator
from policies.knobs import SchedulingClass, ThreadClass, ThreadClasses

THREADS = {"audio": [AUDIO], "background": [BACKGROUND]}
REALTIME = ThreadClasses(audio=ThreadClass(SchedulingClass.REALTIME, priority=60))
BOTH = ThreadClasses(audio=REALTIME.audio, background=ThreadClass(SchedulingClass.IDLE))


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> FakeLinux:
    created = FakeLinux()
    monkeypatch.setattr(scheduling, "write", created.write)
    monkeypatch.setattr(scheduling, "read", lambda thread: created.now[thread])
    return created


def actuator(linux: FakeLinux) -> ThreadClassActuator:
    return ThreadClassActuator(FakeLease(linux), ThreadClasses())


def test_a_setting_in_force_reads_as_it_was_asked_for(linux: FakeLinux) -> None:
    turned = actuator(linux)
    assert turned.apply(BOTH, THREADS) is None
    assert turned.in_force(THREADS) == BOTH


def test_a_refusal_of_one_thread_leaves_the_last_setting_of_all(linux: FakeLinux) -> None:
    turned = actuator(linux)
    turned.apply(REALTIME, THREADS)
    linux.refuses = {BACKGROUND}
    assert "not permitted" in (turned.apply(BOTH, THREADS) or "")
    linux.refuses = set()
    turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == REALTIME


def test_what_another_hand_does_is_reported_and_not_overwritten(linux: FakeLinux) -> None:
    turned = actuator(linux)
    turned.apply(REALTIME, THREADS)
    linux.now[AUDIO] = FOUND
    turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == ThreadClasses()
    assert linux.now[AUDIO] == FOUND


def test_a_thread_that_turns_out_to_be_another_is_restored_and_the_rest_stay(linux: FakeLinux):
    turned = actuator(linux)
    turned.apply(BOTH, THREADS)
    turned.reconcile({**THREADS, "audio": []})
    assert linux.now[AUDIO] == FOUND
    assert linux.now[BACKGROUND] != FOUND


def test_what_starved_a_processor_comes_back_only_when_it_is_asked_for_anew(
    linux: FakeLinux,
) -> None:
    lease = FakeLease(linux)
    turned = ThreadClassActuator(lease, ThreadClasses())
    turned.apply(REALTIME, THREADS)
    lease.restore()  # as the watchdog does
    lease.starved = StarvationError(1, 10.0)
    turned.renew()
    assert turned.reconcile(THREADS) is None
    assert "processor 1 had no time" in (turned.apply(REALTIME, THREADS) or "")
    assert "processor 1 had no time" in turned.undone
    assert linux.now[AUDIO] == FOUND
    lease.starved = None
    turned.renew()
    turned.reconcile(THREADS)
    assert linux.now[AUDIO] == FOUND
    assert turned.apply(REALTIME, THREADS) is None
    assert turned.in_force(THREADS) == REALTIME
    assert turned.undone == ""


def test_a_thread_that_its_program_reset_is_scheduled_anew_once(linux: FakeLinux) -> None:
    turned = actuator(linux)
    turned.apply(REALTIME, THREADS)
    linux.now[AUDIO] = FOUND
    assert turned.note_resets(100.0) == 1
    turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == REALTIME


def test_what_is_reset_again_within_a_minute_is_another_hands(linux: FakeLinux) -> None:
    turned = actuator(linux)
    turned.apply(REALTIME, THREADS)
    for at_s, taken_up in ((100.0, 1), (130.0, 0), (131.0, 0)):
        linux.now[AUDIO] = FOUND
        assert turned.note_resets(at_s) == taken_up
        turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == ThreadClasses()
    assert linux.now[AUDIO] == FOUND


def test_what_is_reset_once_in_a_long_while_is_scheduled_anew_each_time(linux: FakeLinux) -> None:
    turned = actuator(linux)
    turned.apply(REALTIME, THREADS)
    for at_s in (100.0, 161.0, 300.0):
        linux.now[AUDIO] = FOUND
        assert turned.note_resets(at_s) == 1
        turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == REALTIME


@pytest.mark.parametrize(
    "set_by_hand",
    [
        Scheduling(os.SCHED_FIFO, 30, 0, FOUND.cpus),
        Scheduling(os.SCHED_RR, 60, 0, FOUND.cpus),
        Scheduling(os.SCHED_OTHER, 0, -5, FOUND.cpus),
        Scheduling(os.SCHED_IDLE, 0, 0, FOUND.cpus),
    ],
)
def test_what_nobody_resets_a_thread_to_is_another_hands_at_once(
    linux: FakeLinux, set_by_hand: Scheduling
) -> None:
    turned = actuator(linux)
    turned.apply(REALTIME, THREADS)
    linux.now[AUDIO] = set_by_hand
    assert turned.note_resets(100.0) == 0
    turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == ThreadClasses(audio=scheduling.to_class(set_by_hand))
    assert linux.now[AUDIO] == set_by_hand


def test_suspended_threads_are_as_found_until_they_are_brought_in_line(linux: FakeLinux) -> None:
    turned = actuator(linux)
    turned.apply(REALTIME, THREADS)
    turned.suspend()
    assert linux.now[AUDIO] == FOUND
    assert turned.is_turned
    turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == REALTIME


def test_processors_that_the_class_does_not_name_are_nobodys_hand(linux: FakeLinux) -> None:
    turned = actuator(linux)
    turned.apply(REALTIME, THREADS)
    linux.now[AUDIO] = Scheduling(os.SCHED_FIFO, 60, 0, frozenset({97}))
    assert turned.note_resets(100.0) == 0
    assert turned.in_force(THREADS) == REALTIME
