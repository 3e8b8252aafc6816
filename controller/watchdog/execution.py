"""Threads that call exec: each goes on as the main thread of its process, with its scheduling.

The kernel gives it the id and the start time of that one. Only the standard library is imported
from here, so that the watchdog stays small.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from controller.errors import KernelFileError, ThreadGoneError
from controller.linux.kernel_files import read_text
from controller.linux.process_id import PROC
from controller.linux.scheduling import Scheduling, ThreadId, identify, read


@dataclass(frozen=True, slots=True)
class MainThread:
    """The main thread of a thread's process, and how it was scheduled before anything was set."""

    thread: ThreadId
    found: Scheduling


def main_thread(thread: ThreadId) -> MainThread | None:
    """The main thread beside this one; None where this is it, or where it cannot be seen."""
    pid = _process_of(thread.tid)
    if pid is None or pid == thread.tid:
        return None
    try:
        main = identify(pid)
        return MainThread(main, read(main))
    except ThreadGoneError:
        return None


def goes_on_as(
    thread: ThreadId,
    main: MainThread | None,
    ours: Container[Scheduling],
    registered: Container[ThreadId],
) -> ThreadId:
    """The main thread, where this one has ended and that is scheduled as this one was by us.

    A main thread that was found so, and one that is registered itself, is no other.
    """
    if main is None or main.thread in registered or _is_there(thread):
        return thread
    try:
        now = read(main.thread)
    except ThreadGoneError:
        return thread
    return main.thread if now in ours and now != main.found else thread


def _is_there(thread: ThreadId) -> bool:
    try:
        return identify(thread.tid) == thread
    except ThreadGoneError:
        return False


def _process_of(tid: int, root: Path = PROC) -> int | None:
    try:
        found = re.search(r"^Tgid:\s+(\d{1,10})$", read_text(root / f"{tid}/status"), re.MULTILINE)
    except KernelFileError:
        return None
    return int(found[1]) if found else None
