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

from controller.linux.permissions import permitted
from controller.linux.scheduling import read, threads_of

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

PLAYER = """
import os, time
os.sched_setaffinity(0, {0})
due = time.monotonic()
print("playing", flush=True)
while True:
    due = max(due + 1 / 190, time.monotonic() - 0.1)
    time.sleep(max(0.0, due - time.monotonic()))
    until = time.thread_time() + 0.0005
    while time.thread_time() < until:
        pass
"""
HOG = "import os; os.sched_setaffinity(0, {0})\nwhile True: pass"


@pytest.fixture
def player() -> Iterator[int]:
    """A program that wakes 190 times a second on a processor that four hogs crowd."""
    if not permitted().realtime:
        pytest.skip("real-time scheduling is refused here")
    started = [subprocess.Popen((sys.executable, "-c", PLAYER), stdout=subprocess.PIPE)]
    assert started[0].stdout is not None
    started[0].stdout.readline()
    started += [subprocess.Popen((sys.executable, "-c", HOG)) for _ in range(4)]
    yield started[0].pid
    for each in reversed(started):
        each.kill()
        each.wait(10)
    started[0].stdout.close()


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
