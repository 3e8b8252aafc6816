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
THREADED = """
import os, signal, threading, time
os.sched_setaffinity(0, {0})
calls = threading.Event()
def play():
    due = time.monotonic()
    while not calls.is_set():
        due = max(due + 256 / 48000, time.monotonic() - 0.1)
        time.sleep(max(0.0, due - time.monotonic()))
        until = time.thread_time() + 0.0005
        while time.thread_time() < until:
            pass
    os.execlp("sleep", "sleep", "1000")
signal.signal(signal.SIGUSR1, lambda *_: calls.set())
threading.Thread(target=play).start()
print("playing", flush=True)
while True:
    signal.pause()
"""
"""The same by a thread of it that is not the main one, which calls exec."""
HOG = "import os; os.sched_setaffinity(0, {0})\nwhile True: pass"


def play(program: str = PLAYER) -> subprocess.Popen[bytes]:
    """Start a program, which plays from now on."""
    player = subprocess.Popen((sys.executable, "-c", program), stdout=subprocess.PIPE)
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
