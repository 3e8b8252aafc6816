"""Processes by name, id or control group, and those that are or play with an audio server."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from controller.control_group import is_group, is_within
from controller.errors import ThreadGoneError
from controller.scheduling import PROC, ProcessId, identify_process, lives

SEARCH_EVERY_S = 5.0


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
        """Those that were found last; some may have ended since."""
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._found, self._due_s = self._find(), now_s + SEARCH_EVERY_S
        return self._found


def named(wanted: Collection[str], root: Path = PROC) -> tuple[ProcessId, ...]:
    """Processes that now live and have one of these ids, names or groups, without this one.

    A name is that of the kernel (`comm`, cut off at 15 characters) or of the executable.
    """
    groups = {each for each in wanted if is_group(each)}
    names = set(wanted) - groups
    if not names and not groups:
        return ()
    return identified(
        (
            pid
            for pid in _running(root)
            if (names and names & _names(pid, root))
            or (groups and is_within(groups, _listing(pid, root)))
        ),
        root,
    )


def identified(pids: Iterable[int], root: Path = PROC) -> tuple[ProcessId, ...]:
    """The processes that have these ids now, without those that have ended."""
    found = []
    for pid in pids:
        with contextlib.suppress(ThreadGoneError):
            found.append(identify_process(pid, root))
    return tuple(found)


def playing_with(
    server_name: str, server: ProcessId | None, root: Path = PROC
) -> tuple[ProcessId, ...]:
    """That JACK server and its clients, as far as they may be looked into.

    Each maps the semaphore of the server's driver, with the user's number in its name or
    without (promiscuous mode), from the same file: another user, another mount namespace or an
    earlier server may have one of the same name.
    """
    semaphore = re.compile(
        rb"^\S+ \S+ \S+ (\S+ \d+) +\S*/jack_sem\.(?:\d+_)?%s_system\b"
        % re.escape(os.fsencode(server_name)),
        re.MULTILINE,
    )

    def semaphores(pid: int) -> set[bytes]:
        return set(semaphore.findall(read_bytes(root / str(pid) / "maps")))

    if server is None or not lives(server, root):
        return ()
    its_own = semaphores(server.pid)
    return identified((pid for pid in _running(root) if its_own & semaphores(pid)), root)


def listening(program: str, path: Path, root: Path = PROC) -> tuple[ProcessId, ...]:
    """Processes of that program which hold the socket open that others find at this path.

    A service manager may hold it as well, and have made it.
    """
    sockets = {
        b"socket:[%s]" % fields[6]
        for fields in (line.split(None, 7) for line in read_bytes(root / "net/unix").splitlines())
        if len(fields) > 7 and fields[7] == os.fsencode(path)
    }
    found = named((program,), root)
    return tuple(each for each in found if sockets & _open_files(each.pid, root))


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


def _open_files(pid: int, root: Path) -> set[bytes]:
    """What its file descriptors lead to, as far as that may be seen."""
    found = set()
    with contextlib.suppress(OSError):
        for each in (root / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed since it was listed
                found.add(os.fsencode(each.readlink()))
    return found


def _names(pid: int, root: Path) -> set[str]:
    names = {str(pid), read_bytes(root / str(pid) / "comm").decode(errors="replace").strip()}
    with contextlib.suppress(OSError):
        names.add((root / str(pid) / "exe").readlink().name)
    return names
