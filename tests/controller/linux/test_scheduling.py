from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.errors import SchedulingRefusedError, ThreadGoneError
from controller.linux import process_id, scheduling
from controller.linux.permissions import permitted
from controller.linux.scheduling import Scheduling, ThreadId
from policies.knobs import SchedulingClass, ThreadClass

FOUND = Scheduling(os.SCHED_OTHER, 0, 5, frozenset({0, 1}))


@pytest.fixture
def thread() -> Iterator[ThreadId]:
    end = threading.Event()
    sleeper = threading.Thread(target=end.wait)
    sleeper.start()
    yield scheduling.identify(sleeper.native_id or 0)
    end.set()
    sleeper.join()


def this_thread() -> ThreadId:
    return scheduling.identify(threading.get_native_id())


def test_a_realtime_class_keeps_the_nice_level_and_leaves_nothing_to_children() -> None:
    wanted = ThreadClass(SchedulingClass.REALTIME, priority=60)
    assert scheduling.from_class(wanted, FOUND) == Scheduling(
        os.SCHED_FIFO, 60, 5, frozenset({0, 1}), reset_on_fork=True
    )


def test_a_class_without_processors_means_those_the_thread_was_found_with() -> None:
    assert scheduling.from_class(ThreadClass(), FOUND).cpus == {0, 1}
    assert scheduling.from_class(ThreadClass(cpus=frozenset({1})), FOUND).cpus == {1}


@pytest.mark.parametrize(
    "wanted",
    [
        ThreadClass(SchedulingClass.REALTIME, priority=60),
        ThreadClass(SchedulingClass.NORMAL, nice=-11),
        ThreadClass(SchedulingClass.BATCH, nice=3, cpus=frozenset({1})),
        ThreadClass(SchedulingClass.IDLE),
    ],
)
def test_a_thread_looks_like_the_class_it_was_given(wanted: ThreadClass) -> None:
    assert scheduling.to_class(scheduling.from_class(wanted, FOUND), FOUND) == wanted


def test_what_is_written_is_read_back(thread: ThreadId) -> None:
    one = frozenset(sorted(os.sched_getaffinity(0))[:1])
    wanted = Scheduling(os.SCHED_BATCH, 0, 7, one, reset_on_fork=True)
    scheduling.write(thread, wanted)
    assert scheduling.read(thread) == wanted


def test_only_the_thread_named_is_changed(thread: ThreadId) -> None:
    before = scheduling.read(this_thread())
    scheduling.write(thread, Scheduling(os.SCHED_IDLE, 0, 9, before.cpus))
    assert scheduling.read(this_thread()) == before


def test_a_refused_part_leaves_the_thread_as_it_was(thread: ThreadId) -> None:
    found = scheduling.read(thread)
    wanted = Scheduling(os.SCHED_FIFO, 500, found.nice, frozenset(sorted(found.cpus)[:1]))
    with pytest.raises(SchedulingRefusedError, match="FIFO 500"):
        scheduling.write(thread, wanted)
    assert scheduling.read(thread) == found


def test_a_processor_that_does_not_exist_is_refused_with_the_remedy(thread: ThreadId) -> None:
    wanted = Scheduling(os.SCHED_OTHER, 0, 0, frozenset({1000}))
    with pytest.raises(SchedulingRefusedError, match="name processors that exist"):
        scheduling.write(thread, wanted)


def test_a_reused_id_is_another_thread(thread: ThreadId) -> None:
    earlier = ThreadId(thread.tid, thread.start_time - 1)
    with pytest.raises(ThreadGoneError):
        scheduling.read(earlier)
    with pytest.raises(ThreadGoneError):
        scheduling.write(earlier, FOUND)


def test_a_process_that_is_gone_has_no_threads() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert scheduling.threads_of(ended.pid) == ()


def test_every_thread_of_a_process_is_found(thread: ThreadId) -> None:
    assert {thread.tid, threading.get_native_id()} <= {
        each.tid for each in scheduling.threads_of(os.getpid())
    }


def test_trying_what_is_permitted_changes_no_lasting_thread(thread: ThreadId) -> None:
    before = {each: scheduling.read(each) for each in (thread, this_thread())}
    permissions = permitted()
    assert {each: scheduling.read(each) for each in before} == before
    assert permissions.cpus == os.sched_getaffinity(0)
    assert permissions.realtime == (permissions.priority_max > 0)
    assert bool(permissions.why) == (not permissions.realtime or not permissions.nice)


def test_a_process_whose_number_another_has_has_no_threads_left() -> None:
    own = process_id.identify_process(os.getpid())
    assert scheduling.threads_of(own) == scheduling.threads_of(own.pid)
    assert scheduling.threads_of(replace(own, start_time=own.start_time - 1)) == ()
