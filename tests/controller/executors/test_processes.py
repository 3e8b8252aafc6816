"""Children of a pipeline are ended while they are ours, and not once another has their number."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from controller.executors.processes import ProcessGroup


@pytest.mark.live
def test_a_child_that_was_reaped_is_not_ended_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group, ended = ProcessGroup(), list[int]()
    child = group.start("km-test", "background", signal.pause)
    os.kill(child.pid, signal.SIGKILL)
    while not group.reap():
        pass
    with monkeypatch.context() as patched:
        patched.setattr(os, "kill", lambda pid, _: ended.append(pid))
        group.stop(child)
        group.stop_all()
    assert ended == []
    with suppress(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)


@pytest.fixture
def group() -> Iterator[ProcessGroup]:
    made = ProcessGroup()
    yield made
    made.stop_all()


def wakes(group: ProcessGroup, timeout_s: float) -> bool:
    return bool(select.select(group.descriptors(), [], [], timeout_s)[0])


def test_the_end_of_a_child_is_told_by_a_descriptor_until_it_is_reaped(group: ProcessGroup) -> None:
    child = group.start("km-idle", "background", signal.pause)
    assert not wakes(group, 0.0)
    group.kill(child)
    assert wakes(group, 5.0)
    assert group.reap() == (child,)
    assert group.descriptors() == ()


def test_a_child_that_was_stopped_is_not_told_of(group: ProcessGroup) -> None:
    child = group.start("km-idle", "background", signal.pause)
    group.stop(child)
    assert wakes(group, 5.0)
    assert group.reap() == ()
