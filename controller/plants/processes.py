"""Processes by name, id or control group, and those that play with a JACK server."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from controller.control_group import is_group, is_within
from controller.metrics.cpu import PROC

SEARCH_EVERY_S = 5.0


class Search:
    """Looks for processes now and then: to go through all of a machine takes milliseconds."""

    def __init__(self, find: Callable[[], tuple[int, ...]]) -> None:
        self._find = find
        self._found: tuple[int, ...] = ()
        self._due_s = 0.0

    def renew(self) -> None:
        """Look anew at the next call."""
        self._due_s = 0.0

    def processes(self) -> tuple[int, ...]:
        """Those that were found last."""
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._found, self._due_s = self._find(), now_s + SEARCH_EVERY_S
        return self._found


def named(wanted: Collection[str], root: Path = PROC) -> tuple[int, ...]:
    """Processes that now live and have one of these ids, names or groups, without this one.

    A name is that of the kernel (`comm`, cut off at 15 characters) or of the executable.
    """
    groups = {each for each in wanted if is_group(each)}
    names = set(wanted) - groups
    if not names and not groups:
        return ()
    return tuple(
        pid
        for pid in _running(root)
        if (names and names & _names(pid, root))
        or (groups and is_within(groups, _listing(pid, root)))
    )


def playing_with(server: str, root: Path = PROC) -> tuple[int, ...]:
    """The JACK server of this name and its clients, as far as they may be looked into.

    Each maps the semaphore of the server's driver, with the user's number in its name or
    without (promiscuous mode).
    """
    semaphore = re.compile(rb"/jack_sem\.(\d+_)?" + re.escape(server.encode()) + rb"_system\b")
    return tuple(
        pid for pid in _running(root) if semaphore.search(read_bytes(root / str(pid) / "maps"))
    )


def read_bytes(path: Path) -> bytes:
    """A kernel file of a process; empty where it is gone or not ours to read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _running(root: Path) -> Iterator[int]:
    own = os.getpid()
    return (int(each) for each in os.listdir(root) if each.isdigit() and int(each) != own)  # noqa: PTH208 - names alone


def _listing(pid: int, root: Path) -> str:
    return read_bytes(root / str(pid) / "cgroup").decode(errors="replace")


def _names(pid: int, root: Path) -> set[str]:
    names = {str(pid), read_bytes(root / str(pid) / "comm").decode(errors="replace").strip()}
    with contextlib.suppress(OSError):
        names.add((root / str(pid) / "exe").readlink().name)
    return names
