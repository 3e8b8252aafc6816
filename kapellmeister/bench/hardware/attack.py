"""An attack on a run that this process started: its device's worker is killed, its memory taken."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from controller.errors import ExecutorError, ThreadGoneError
from controller.linux.prctl import dying_with_parent
from controller.linux.process_id import PROC, ProcessStat, kill, read_process

WORKER = b"km-gpu-"
"""What names of workers that have a device begin with."""
POLL_S = 0.05
TAKE_ALL = """
import sys
import cupy
free_bytes, _ = cupy.cuda.runtime.memGetInfo()
held = cupy.cuda.Memory(int(0.95 * free_bytes))
print("held", flush=True)
sys.stdin.read()
"""
"""A program that takes what memory the device has left, and holds it until its input ends."""


@dataclass(frozen=True, slots=True)
class Attack:
    """The worker is killed so long after it was first seen, and memory held so long from then on.

    With `hold_s` of 0 no memory is taken.
    """

    kill_after_s: float
    hold_s: float


@contextmanager
def attacked(attack: Attack) -> Iterator[None]:
    """Attack whatever run is started meanwhile. Raises ExecutorError where none could be."""
    ended, struck = threading.Event(), threading.Event()
    thread = threading.Thread(target=_strike, args=(attack, ended, struck), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if not struck.is_set():
        why = "its worker could not be killed: none was seen, or the memory was not to be had"
        raise ExecutorError("bench", why, "run it again")


def _strike(attack: Attack, ended: threading.Event, struck: threading.Event) -> None:
    while not workers():
        if ended.wait(POLL_S):
            return
    if ended.wait(attack.kill_after_s):
        return
    with _memory_held(attack.hold_s):
        for worker in workers():
            kill(worker.process)
            struck.set()
        ended.wait(attack.hold_s)


@contextmanager
def _memory_held(hold_s: float) -> Iterator[None]:
    if not hold_s:
        yield
        return
    command = dying_with_parent(sys.executable, "-c", TAKE_ALL)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        if holder.stdout is None or not holder.stdout.readline():
            raise ExecutorError("bench", "the memory cannot be taken", "run it again")
        try:
            yield
        finally:
            holder.kill()


def workers() -> list[ProcessStat]:
    """Workers that have a device, of runs that this process started."""
    found = {stat.process.pid: stat for stat in _processes()}
    return [
        each for each in found.values() if each.name.startswith(WORKER) and _is_ours(each, found)
    ]


def _is_ours(stat: ProcessStat, found: dict[int, ProcessStat]) -> bool:
    """Whether it descends from this process."""
    while stat.parent != os.getpid():
        if stat.parent not in found:
            return False
        stat = found[stat.parent]
    return True


def _processes() -> Iterator[ProcessStat]:
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(ThreadGoneError):
                yield read_process(int(entry.name))
