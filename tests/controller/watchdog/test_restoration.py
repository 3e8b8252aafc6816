from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.linux.scheduling import Scheduling, ThreadId, identify, read, threads_of, write
from controller.watchdog.restoration import (
    Original,
    Restoration,
    find_original,
    inherited,
    restore_settings,
    restore_threads,
)

PIPES: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
EVERYWHERE = frozenset(os.sched_getaffinity(0))


class Sleeper:
    """A thread that starts another one when asked."""

    def __init__(self) -> None:
        self.child: ThreadId | None = None
        self._end = threading.Event()
        self._spawn = threading.Event()
        self._spawned = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.id = identify(self._thread.native_id or 0)

    def spawn(self) -> ThreadId:
        self._spawn.set()
        self._spawned.wait()
        assert self.child is not None
        return self.child

    def end(self) -> None:
        self._end.set()
        self._spawn.set()
        self._thread.join()

    def _run(self) -> None:
        self._spawn.wait()
        if self._end.is_set():
            return
        child = threading.Thread(target=self._end.wait)
        child.start()
        self.child = identify(child.native_id or 0)
        self._spawned.set()
        child.join()


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    sleeper = Sleeper()
    yield sleeper
    sleeper.end()


def test_a_thread_is_restored_as_it_was_found(sleeper: Sleeper) -> None:
    originals = {sleeper.id: find_original(sleeper.id)}
    found = read(sleeper.id)
    write(sleeper.id, Scheduling(os.SCHED_IDLE, 0, found.nice, found.cpus))
    assert restore_threads(originals) == Restoration(restored=1)
    assert read(sleeper.id) == found


def test_putting_back_twice_changes_nothing_more(sleeper: Sleeper) -> None:
    originals = {sleeper.id: find_original(sleeper.id)}
    assert restore_threads(originals) == Restoration()


def test_a_thread_that_inherited_the_change_is_restored_too(sleeper: Sleeper) -> None:
    originals = {sleeper.id: find_original(sleeper.id)}
    found = read(sleeper.id)
    write(sleeper.id, Scheduling(os.SCHED_BATCH, 0, found.nice, found.cpus))
    child = sleeper.spawn()
    assert read(child).policy == os.SCHED_BATCH
    assert restore_threads(originals) == Restoration(restored=2)
    assert read(child) == found


def test_a_younger_thread_with_a_scheduling_of_its_own_is_left_alone(sleeper: Sleeper) -> None:
    originals = {sleeper.id: find_original(sleeper.id)}
    found = read(sleeper.id)
    write(sleeper.id, Scheduling(os.SCHED_BATCH, 0, found.nice, found.cpus))
    own = Scheduling(os.SCHED_IDLE, 0, found.nice, found.cpus)
    write(sleeper.spawn(), own)
    assert restore_threads(originals) == Restoration(restored=1)
    assert sleeper.child is not None
    assert read(sleeper.child) == own


def test_what_another_hand_set_stays_and_what_we_set_beside_it_is_restored(
    sleeper: Sleeper,
) -> None:
    found = read(sleeper.id)
    one = frozenset({min(EVERYWHERE)})
    ours = Scheduling(os.SCHED_BATCH, 0, found.nice, one)
    originals = {sleeper.id: find_original(sleeper.id).set_to(ours)}
    write(sleeper.id, ours)
    write(sleeper.id, replace(ours, policy=os.SCHED_IDLE))
    assert restore_threads(originals) == Restoration(restored=1)
    assert read(sleeper.id) == replace(found, policy=os.SCHED_IDLE)


def test_a_thread_that_inherited_what_we_set_is_restored_though_its_parent_was_set_by_another_hand(
    sleeper: Sleeper,
) -> None:
    found = read(sleeper.id)
    ours = Scheduling(os.SCHED_BATCH, 0, found.nice, found.cpus)
    originals = {sleeper.id: find_original(sleeper.id).set_to(ours)}
    write(sleeper.id, ours)
    child = sleeper.spawn()
    write(sleeper.id, replace(ours, policy=os.SCHED_IDLE))
    assert restore_threads(originals) == Restoration(restored=1)
    assert read(child) == found


def test_of_what_we_set_the_last_and_the_one_before_count_as_ours() -> None:
    found = Original(Scheduling(os.SCHED_OTHER, 0, 0, EVERYWHERE), 0)
    low, high = (Scheduling(os.SCHED_FIFO, priority, 0, EVERYWHERE, True) for priority in (60, 70))
    ours = found.set_to(low).set_to(high)
    assert ours.restored(low) == ours.restored(high) == found.scheduling
    theirs = Scheduling(os.SCHED_RR, 30, 0, EVERYWHERE)
    assert ours.restored(theirs) == theirs


def test_a_thread_that_ended_is_passed_over() -> None:
    sleeper = Sleeper()
    originals = {sleeper.id: find_original(sleeper.id)}
    sleeper.end()
    assert restore_threads(originals) == Restoration()


def test_realtime_is_not_inherited_under_reset_on_fork() -> None:
    parent = Scheduling(os.SCHED_FIFO, 70, 0, frozenset({1}), reset_on_fork=True)
    assert inherited(parent) == Scheduling(os.SCHED_OTHER, 0, 0, frozenset({1}))


def test_a_raised_nice_level_is_not_inherited_under_reset_on_fork_and_a_lowered_one_is() -> None:
    raised = Scheduling(os.SCHED_OTHER, 0, -11, EVERYWHERE, reset_on_fork=True)
    lowered = Scheduling(os.SCHED_IDLE, 0, 10, EVERYWHERE, reset_on_fork=True)
    assert inherited(raised).nice == 0
    assert (inherited(lowered).policy, inherited(lowered).nice) == (os.SCHED_IDLE, 10)


def test_each_setting_is_restored_and_what_fails_says_why(tmp_path: Path) -> None:
    made = tmp_path / "made"
    done = restore_settings([("no-such-command",), ("false",), ("touch", str(made))])
    assert done.restored == 1
    assert made.exists()
    missing, failed = done.refused
    assert missing.startswith("`no-such-command`: ")
    assert "exit status 1" in failed


def test_what_a_command_left_alone_is_neither_restored_nor_refused() -> None:
    assert restore_settings([("sh", "-c", "exit 3")]) == Restoration()


def test_the_last_line_that_a_command_said_is_why_it_failed() -> None:
    (why,) = restore_settings([("sh", "-c", "echo first >&2; echo why >&2; exit 1")]).refused
    assert why.endswith("`: why")


def test_a_command_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.watchdog.restoration.COMMAND_PATIENCE_S", 0.05)
    (why,) = restore_settings([("sleep", "60")]).refused
    assert "timed out" in why


def test_a_process_that_one_has_started_since_is_restored_with_it() -> None:
    """The kernel hands an idle class, a nice level and processors on to children."""
    with subprocess.Popen(("sh", "-c", "read x; sleep 60 & echo $!; read x"), **PIPES) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        (thread,) = threads_of(parent.pid)
        original = find_original(thread)
        ours = replace(original.scheduling, policy=os.SCHED_BATCH)
        write(thread, ours)
        parent.stdin.write("\n")
        parent.stdin.flush()
        child = identify(int(parent.stdout.readline()))
        assert read(child) == ours
        assert restore_threads({thread: original.set_to(ours)}) == Restoration(restored=2)
        assert read(child) == read(thread) == original.scheduling
        os.kill(child.tid, signal.SIGKILL)


EXECUTING = """
import os, sys, threading
def wait():
    if EXEC: os.execlp("sh", "sh", "-c", "echo there; read end")
started = threading.Thread(target=lambda: (sys.stdin.readline(), wait()))
if MAIN: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
started.start()
print(started.native_id, flush=True)
started.join()
print("there", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize(
    ("executes", "main_is_so", "policy_after"),
    [
        (True, False, os.SCHED_OTHER),
        (False, False, os.SCHED_OTHER),
        (False, True, os.SCHED_BATCH),
    ],
)
def test_a_thread_that_calls_exec_is_restored_as_the_main_one_and_no_main_one_else(
    executes: bool, main_is_so: bool, policy_after: int
) -> None:
    flags = f"EXEC, MAIN = {executes}, {main_is_so}\n"
    with subprocess.Popen((sys.executable, "-c", flags + EXECUTING), **PIPES) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        thread = identify(int(program.stdout.readline()))
        original = find_original(thread)
        wanted = replace(original.scheduling, policy=os.SCHED_BATCH)
        os.sched_setscheduler(thread.tid, os.SCHED_BATCH, os.sched_param(0))
        originals = {thread: original.set_to(wanted)}
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.stdout.readline() == "there\n"
        restored = restore_threads(originals, [thread])
        assert restored == Restoration(int(executes))
        assert os.sched_getscheduler(program.pid) == policy_after
        program.kill()
