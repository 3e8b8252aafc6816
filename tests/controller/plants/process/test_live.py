"""`kapellmeister run --plant process` on a program that hogs keep from running in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_run import awaits, soon
from player import crowd, end, play

from controller.linux.permissions import permitted
from controller.linux.scheduling import read, threads_of

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]


@pytest.fixture
def player() -> Iterator[int]:
    """A program that wakes once in 256 frames on a processor that four hogs crowd."""
    if not permitted().realtime:
        pytest.skip("real-time scheduling is refused here")
    started = play()
    hogs = crowd()
    yield started.pid
    end(*hogs, started)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_of_which_only_the_kernel_tells_is_scheduled_and_restored(
    player: int, tmp_path: Path, end: signal.Signals
) -> None:
    (thread,) = threads_of(player)
    found = read(thread)
    run = ("run", "--plant", "process", "--process", str(player), "--act")
    running = subprocess.Popen(
        (sys.executable, "-m", "kapellmeister", *run, "--state-dir", str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        awaits(lambda: read(thread).policy == os.SCHED_FIFO, 40.0, "it was not raised")
    finally:
        running.send_signal(end)
        print(running.communicate(timeout=20)[0].decode())
    assert soon(lambda: read(thread) == found, 2.0), "not restored"
