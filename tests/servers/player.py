"""A program that plays, on a processor that hogs crowd."""

from __future__ import annotations

import subprocess
import sys

PLAYER = """
import os, signal, time
os.sched_setaffinity(0, {0})
signal.signal(signal.SIGUSR1, lambda *_: os.execlp("sleep", "sleep", "1000"))
due = time.monotonic()
print("playing", flush=True)
while True:
    due = max(due + 256 / 48000, time.monotonic() - 0.1)
    time.sleep(max(0.0, due - time.monotonic()))
    until = time.thread_time() + 0.0005
    while time.thread_time() < until:
        pass
"""
"""Wakes once in 256 frames; SIGUSR1 turns the process into another program."""
HOG = "import os; os.sched_setaffinity(0, {0})\nwhile True: pass"


def play() -> subprocess.Popen[bytes]:
    """Start the program, which plays from now on."""
    player = subprocess.Popen((sys.executable, "-c", PLAYER), stdout=subprocess.PIPE)
    assert player.stdout is not None
    player.stdout.readline()
    return player


def crowd(hogs: int = 4) -> list[subprocess.Popen[bytes]]:
    """Start processes that leave its processor no rest."""
    return [subprocess.Popen((sys.executable, "-c", HOG)) for _ in range(hogs)]


def end(*processes: subprocess.Popen[bytes]) -> None:
    """End processes at once, and wait until they are gone."""
    for each in processes:
        each.kill()
        each.communicate()
