"""The processes of this machine: which run, which are ours, and which a name means."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from controller.errors import ThreadGoneError
from controller.linux.process_id import PROC, ProcessId, identify_process
from controller.plants.programs.meaning import meant_by
from controller.plants.programs.names import Running, read_running

SEARCH_EVERY_S = 5.0
OWN_CODE = ("controller.", "kapellmeister.")
"""Prefixes of the modules that our helpers run."""


class Search:
    """Looks for processes now and then: to go through all of a machine takes milliseconds."""

    def __init__(self, find: Callable[[], tuple[ProcessId, ...]]) -> None:
        self._find = find
        self._found: tuple[ProcessId, ...] = ()
        self._due_s = 0.0

    def renew(self) -> None:
        """Look anew at the next call."""
        self._due_s = 0.0

    def processes(self) -> tuple[ProcessId, ...]:
        """The processes that were found last; some may have ended since."""
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._found, self._due_s = self._find(), now_s + SEARCH_EVERY_S
        return self._found


def others(root: Path = PROC) -> list[Running]:
    """All processes that run, without this one and its helpers."""
    everybody = []
    for pid in sorted(process_ids(root)):
        with contextlib.suppress(ThreadGoneError):
            everybody.append(read_running(pid, root))
    ours = _ours(everybody)
    return [each for each in everybody if each.process.pid not in ours]


def named(wanted: Collection[str], root: Path = PROC) -> tuple[ProcessId, ...]:
    """The processes that these ids, names and control groups mean now."""
    if not wanted:
        return ()
    running = others(root)
    found = (each.process for program in wanted for each in meant_by(program, running))
    return tuple(dict.fromkeys(found))


def identified(pids: Iterable[int], root: Path = PROC) -> tuple[ProcessId, ...]:
    """The processes that have these ids now, without those that have ended."""
    found = []
    for pid in pids:
        with contextlib.suppress(ThreadGoneError):
            found.append(identify_process(pid, root))
    return tuple(found)


def process_ids(root: Path = PROC) -> Iterator[int]:
    """The ids of all processes."""
    return (int(each) for each in os.listdir(root) if each.isdigit())  # noqa: PTH208 - names alone


def read_bytes(path: Path) -> bytes:
    """The content of a file of /proc; empty where it is gone or not ours to read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _ours(everybody: Iterable[Running]) -> set[int]:
    """This process, its forks and its helpers, with all that these started.

    What else was started from here is a program like any other: a Python program may play, and
    control that.
    """
    children: dict[int, list[Running]] = {}
    for each in everybody:
        children.setdefault(each.stat.parent, []).append(each)
    own = os.getpid()
    our_line = next((each.arguments for each in everybody if each.process.pid == own), ())
    ours, below = {own}, [(each, False) for each in children.get(own, ())]
    while below:
        each, helps = below.pop()
        helps = helps or each.arguments == our_line or (each.program or "").startswith(OWN_CODE)
        if helps:
            ours.add(each.process.pid)
        below += [(child, helps) for child in children.get(each.process.pid, ())]
    return ours
