"""The state of a process, as the kernel tells it."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from controller.linux.process_state import RUNNABLE, STOPPED, state_of


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


def test_whoever_asks_is_running() -> None:
    assert state_of(os.getpid()) == RUNNABLE


def test_a_stopped_process_is_told_from_one_that_runs(child: subprocess.Popen[bytes]) -> None:
    os.kill(child.pid, signal.SIGSTOP)
    os.waitpid(child.pid, os.WUNTRACED)
    assert state_of(child.pid) in STOPPED


def test_a_process_that_is_gone_has_no_state(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert state_of(child.pid) == ""
