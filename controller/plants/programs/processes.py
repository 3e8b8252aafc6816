"""The processes of this machine: which run, which are ours, and which a name means."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from controller.errors import ThreadGoneError
from controller.linux.process_id import PROC, ProcessId, identify_process
from controller.plants.programs.matching import meant_by
from controller.plants.programs.names import RunningProcess, read_running

OWN_CODE = ("controller.", "kapellmeister.")
"""Prefixes of the modules that our helpers run."""


def others(root: Path = PROC) -> list[RunningProcess]:
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


def _ours(everybody: Iterable[RunningProcess]) -> set[int]:
    """Our own process, its forks and its helpers, with all that these started.

    What else was started from here is a program like any other: a Python program may play, and
    control that.
    """
    children: dict[int, list[RunningProcess]] = {}
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
