"""Scheduling of the classes of work, on threads that exist only in numbers."""

import os

import pytest
from fake_kernel import AUDIO, BACKGROUND, FOUND, FakeLease, Kernel

from controller.errors import StarvationError
from controller.linux import scheduling
from controller.linux.scheduling import Scheduling
from controller.plants.threads.actuator import ThreadClassActuator
from policies.knobs import SchedulingClass, ThreadClass, ThreadClasses

THREADS = {"audio": [AUDIO], "background": [BACKGROUND]}
REALTIME = ThreadClasses(audio=ThreadClass(SchedulingClass.REALTIME, priority=60))
BOTH = ThreadClasses(audio=REALTIME.audio, background=ThreadClass(SchedulingClass.IDLE))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    created = Kernel()
    monkeypatch.setattr(scheduling, "write", created.write)
    monkeypatch.setattr(scheduling, "read", lambda thread: created.now[thread])
    return created


def actuator(kernel: Kernel) -> ThreadClassActuator:
    return ThreadClassActuator(FakeLease(kernel), ThreadClasses())


def test_a_setting_in_force_reads_as_it_was_asked_for(kernel: Kernel) -> None:
    turned = actuator(kernel)
    assert turned.apply(BOTH, THREADS) is None
    assert turned.in_force(THREADS) == BOTH


def test_a_refusal_of_one_thread_leaves_the_last_setting_of_all(kernel: Kernel) -> None:
    turned = actuator(kernel)
    turned.apply(REALTIME, THREADS)
    kernel.refuses = {BACKGROUND}
    assert "not permitted" in (turned.apply(BOTH, THREADS) or "")
    kernel.refuses = set()
    turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == REALTIME


def test_what_another_hand_does_is_reported_and_not_overwritten(kernel: Kernel) -> None:
    turned = actuator(kernel)
    turned.apply(REALTIME, THREADS)
    kernel.now[AUDIO] = FOUND
    turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == ThreadClasses()
    assert kernel.now[AUDIO] == FOUND


def test_a_thread_that_turns_out_to_be_another_is_put_back_and_the_rest_stay(kernel: Kernel):
    turned = actuator(kernel)
    turned.apply(BOTH, THREADS)
    turned.reconcile({**THREADS, "audio": []})
    assert kernel.now[AUDIO] == FOUND
    assert kernel.now[BACKGROUND] != FOUND


def test_what_starved_a_processor_comes_back_only_when_it_is_asked_for_anew(kernel: Kernel) -> None:
    lease = FakeLease(kernel)
    turned = ThreadClassActuator(lease, ThreadClasses())
    turned.apply(REALTIME, THREADS)
    lease.restore()  # as the watchdog does
    lease.starved = StarvationError(1, 10.0)
    turned.renew()
    assert turned.reconcile(THREADS) is None
    assert "processor 1 had no time" in (turned.apply(REALTIME, THREADS) or "")
    assert "processor 1 had no time" in turned.undone
    assert kernel.now[AUDIO] == FOUND
    lease.starved = None
    turned.renew()
    turned.reconcile(THREADS)
    assert kernel.now[AUDIO] == FOUND
    assert turned.apply(REALTIME, THREADS) is None
    assert turned.in_force(THREADS) == REALTIME
    assert turned.undone == ""


def test_a_thread_that_its_program_reset_is_scheduled_anew_once(kernel: Kernel) -> None:
    turned = actuator(kernel)
    turned.apply(REALTIME, THREADS)
    kernel.now[AUDIO] = FOUND
    assert turned.take_up_again(100.0) == 1
    turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == REALTIME


def test_what_is_reset_again_within_a_minute_is_another_hands(kernel: Kernel) -> None:
    turned = actuator(kernel)
    turned.apply(REALTIME, THREADS)
    for at_s, taken_up in ((100.0, 1), (130.0, 0), (131.0, 0)):
        kernel.now[AUDIO] = FOUND
        assert turned.take_up_again(at_s) == taken_up
        turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == ThreadClasses()
    assert kernel.now[AUDIO] == FOUND


def test_what_is_reset_once_in_a_long_while_is_scheduled_anew_each_time(kernel: Kernel) -> None:
    turned = actuator(kernel)
    turned.apply(REALTIME, THREADS)
    for at_s in (100.0, 161.0, 300.0):
        kernel.now[AUDIO] = FOUND
        assert turned.take_up_again(at_s) == 1
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
    kernel: Kernel, set_by_hand: Scheduling
) -> None:
    turned = actuator(kernel)
    turned.apply(REALTIME, THREADS)
    kernel.now[AUDIO] = set_by_hand
    assert turned.take_up_again(100.0) == 0
    turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == ThreadClasses(audio=scheduling.to_class(set_by_hand))
    assert kernel.now[AUDIO] == set_by_hand


def test_what_a_server_did_to_its_clients_is_undone_however_often(kernel: Kernel) -> None:
    turned = actuator(kernel)
    turned.apply(REALTIME, THREADS)
    for at_s in (100.0, 103.0, 106.0):
        kernel.now[AUDIO] = FOUND
        assert turned.take_up_again(at_s, excused=True) == 1
        turned.reconcile(THREADS)
    assert turned.in_force(THREADS) == REALTIME


def test_a_thread_that_its_server_made_real_time_is_left_to_it(kernel: Kernel) -> None:
    turned = actuator(kernel)
    turned.apply(REALTIME, THREADS)
    given = kernel.now[AUDIO] = Scheduling(os.SCHED_FIFO, 75, 0, FOUND.cpus)
    turned._lease.deregister = lambda threads: None  # type: ignore[method-assign] # nothing of ours is left
    assert turned.take_up_again(100.0, excused=True) == 0
    assert not turned.holds(AUDIO)
    assert kernel.now[AUDIO] == given


def test_processors_that_the_class_does_not_name_are_nobodys_hand(kernel: Kernel) -> None:
    turned = actuator(kernel)
    turned.apply(REALTIME, THREADS)
    kernel.now[AUDIO] = Scheduling(os.SCHED_FIFO, 60, 0, frozenset({97}))
    assert turned.take_up_again(100.0) == 0
    assert turned.in_force(THREADS) == REALTIME
