"""Children of a pipeline are ended while they are ours, and not once another has their number."""

from __future__ import annotations

import os
import signal
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
