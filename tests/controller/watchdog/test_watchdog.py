from __future__ import annotations

import json
import os
import threading
from dataclasses import replace

import pytest

from controller.linux.scheduling import Scheduling, ThreadId, identify
from controller.watchdog import watchdog as watcher
from controller.watchdog.execution import MainThread
from controller.watchdog.lease import lease_s
from controller.watchdog.restoration import Original, Restoration
from controller.watchdog.watchdog import Watchdog, decode, encode

THREAD = ThreadId(4194304, 123)  # beyond the largest id: no such thread
ORIGINAL = Original(Scheduling(os.SCHED_FIFO, 80, -11, frozenset({0, 3}), True), 77)
HOLD = json.dumps(["threads", encode(THREAD, ORIGINAL)]).encode()


MAIN = MainThread(ThreadId(4194303, 122), ORIGINAL.scheduling)


@pytest.mark.parametrize(
    "original",
    [ORIGINAL, ORIGINAL.set_to(replace(ORIGINAL.scheduling)), replace(ORIGINAL, main=MAIN)],
)
def test_a_registration_survives_the_pipe(original: Original) -> None:
    assert decode(json.loads(json.dumps(encode(THREAD, original)))) == (THREAD, original)


def test_a_hold_is_acknowledged_and_a_renewal_is_not() -> None:
    watchdog = Watchdog(10.0)
    assert watchdog.hear(HOLD, 100.0) == b'["registered"]\n'
    assert watchdog.hear(b'["renew"]', 101.0) == b""


def test_the_lease_runs_from_the_last_message() -> None:
    watchdog = Watchdog(10.0)
    watchdog.hear(HOLD, 100.0)
    watchdog.hear(b'["renew"]', 104.0)
    assert watchdog.remaining_s(105.0) == 9.0
    assert watchdog.remaining_s(114.0) == 0.0


def test_a_lease_on_nothing_does_not_run_out() -> None:
    watchdog = Watchdog(10.0)
    watchdog.hear(b'["renew"]', 100.0)
    assert watchdog.remaining_s(1000.0) is None


def test_a_lease_that_ran_out_begins_anew_with_the_next_renewal() -> None:
    watchdog = Watchdog(10.0)
    watchdog.hear(HOLD, 100.0)
    assert watchdog.expire() == b'["expired"]\n'
    assert watchdog.remaining_s(200.0) is None
    watchdog.hear(b'["renew"]', 200.0)
    assert watchdog.remaining_s(201.0) == 9.0


SETTINGS = json.dumps(["settings", ["put", "it", "back"]]).encode()


def commands_run(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The commands that the watchdog will have run."""
    run: list[tuple[str, ...]] = []

    def restore_settings(commands: list[tuple[str, ...]]) -> Restoration:
        run.extend(commands)
        return Restoration(len(run))

    monkeypatch.setattr(watcher, "restore_settings", restore_settings)
    return run


def test_a_setting_is_restored_by_its_command_once_the_lease_runs_out(monkeypatch, capfd) -> None:
    run = commands_run(monkeypatch)
    watchdog = Watchdog(10.0)
    assert watchdog.hear(SETTINGS, 100.0) == b'["registered"]\n'
    assert watchdog.remaining_s(104.0) == 6.0
    watchdog.expire()
    assert run == [("put", "it", "back")]
    assert "settings restored: 1" in capfd.readouterr().err


def test_settings_that_are_registered_no_longer_are_left_alone(monkeypatch) -> None:
    run = commands_run(monkeypatch)
    watchdog = Watchdog(10.0)
    watchdog.hear(SETTINGS, 100.0)
    watchdog.hear(b'["settings"]', 101.0)
    watchdog.restore("for a test")
    assert run == []


class FakeCanary:
    """Sits on one processor, and starves there from a given time on."""

    def __init__(self, processor: int, from_s: float) -> None:
        self.processor, self.from_s = processor, from_s
        self.patrols = False
        self.moved_on = 0
        self.suspicions: list[bool] = []

    def suspect(self, suspected: bool) -> None:
        self.suspicions.append(suspected)

    def patrol(self, needed: bool) -> None:
        self.patrols = needed

    def starves(self, now_s: float) -> int | None:
        return self.processor if now_s >= self.from_s else None

    def move_on(self) -> None:
        self.moved_on += 1


class Watched:
    """A watchdog that holds a thread which is now scheduled as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: Scheduling) -> None:
        self.thread = identify(threading.get_native_id())
        self.canary = FakeCanary(3, from_s=104.0)
        self.watchdog = Watchdog(10.0, self.canary)  # type: ignore[arg-type] # a fake
        self.restored = 0
        monkeypatch.setattr(watcher, "read", lambda _: now)
        monkeypatch.setattr(watcher, "restore_threads", self._restore)

    def register(self, original: Original) -> None:
        message = json.dumps(["threads", encode(self.thread, original)])
        self.watchdog.hear(message.encode(), 100.0)

    def _restore(self, originals: object) -> Restoration:
        self.restored += 1
        return Restoration()


ORDINARY = Original(Scheduling(os.SCHED_OTHER, 0, 0, frozenset({0, 3})), 77)
RAISED = Scheduling(os.SCHED_FIFO, 60, 0, frozenset({0, 3}), True)


@pytest.mark.parametrize(("interval_s", "lasts_s"), [(1.0, 10.0), (60.0, 180.0)])
def test_a_lease_outlasts_the_interval_in_which_it_is_renewed(
    interval_s: float, lasts_s: float
) -> None:
    assert lease_s(interval_s) == lasts_s


def test_where_a_raised_thread_starves_a_processor_all_is_restored_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch, RAISED)
    watched.register(ORDINARY)
    assert watched.watchdog.look(103.5) == b""
    assert watched.restored == 0
    assert watched.watchdog.look(104.0) == b'["starved", 3]\n'
    assert watched.restored == 1


def test_where_a_thread_starves_a_processor_the_settings_stay(monkeypatch: pytest.MonkeyPatch):
    """A longer period starves nobody, and may be what still helps."""
    run = commands_run(monkeypatch)
    watched = Watched(monkeypatch, RAISED)
    watched.register(ORDINARY)
    watched.watchdog.hear(SETTINGS, 100.0)
    assert watched.watchdog.look(104.0) == b'["starved", 3]\n'
    assert run == []


def test_what_runs_nearly_all_the_time_makes_the_canary_ask_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch, RAISED)
    watched.register(ORDINARY)
    ran_s = iter((10.0, 10.4, 10.9))
    monkeypatch.setattr(watcher, "_ran_s", lambda tid: next(ran_s))
    for now_s in (100.0, 100.5, 101.0):
        watched.watchdog.look(now_s)
    assert watched.canary.suspicions == [False, False, True]


def test_what_was_made_to_yield_may_run_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the canary would spin for as long as a hog runs that was demoted."""
    watched = Watched(monkeypatch, RAISED)
    demoted = Scheduling(os.SCHED_IDLE, 0, 0, frozenset({0, 3}))
    watched.register(ORDINARY.set_to(demoted))
    ran_s = iter((10.0, 10.5, 11.0))
    monkeypatch.setattr(watcher, "_ran_s", lambda tid: next(ran_s))
    for now_s in (100.0, 100.5, 101.0):
        watched.watchdog.look(now_s)
    assert watched.canary.suspicions == [False, False, False]


@pytest.mark.parametrize(
    ("original", "now"),
    [
        (ORDINARY, ORDINARY.scheduling),
        (ORDINARY, Scheduling(os.SCHED_FIFO, 60, 0, frozenset({0}), True)),
        (Original(RAISED, 77), RAISED),
    ],
    ids=["not real-time", "not permitted there", "found so"],
)
def test_what_starves_a_processor_without_our_doing_is_passed_by(
    monkeypatch: pytest.MonkeyPatch, original: Original, now: Scheduling
) -> None:
    watched = Watched(monkeypatch, now)
    watched.register(original)
    assert watched.watchdog.look(104.0) == b""
    assert (watched.restored, watched.canary.moved_on) == (0, 1)


def test_the_canary_goes_about_only_while_threads_are_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch, RAISED)
    watched.register(ORDINARY)
    assert watched.canary.patrols
    watched.watchdog.hear(b'["threads"]', 101.0)
    assert not watched.canary.patrols
    assert watched.watchdog.look(104.0) == b""
    assert watched.canary.moved_on == 0
