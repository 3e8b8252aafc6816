"""The processes of this machine: those that run, that are ours, or that play with a server."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from controller.errors import ThreadGoneError
from controller.linux.process_id import PROC, ProcessId, identify_process, lives
from controller.plants.programs.meaning import meant_by
from controller.plants.programs.names import Running, read_running

SEARCH_EVERY_S = 5.0
USER = re.compile(rb"^Uid:\s+(?:\d+\s+){3}(\d+)", re.MULTILINE)
"""The user as which a process makes files."""
OWN_CODE = ("controller.", "kapellmeister.")
"""How the modules begin that our helpers run."""


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


def others(root: Path = PROC) -> list[Running]:
    """All processes that run, without this one and its helpers."""
    everybody = []
    for pid in sorted(_pids(root)):
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


def playing_with(
    server_name: str, server: ProcessId | None, root: Path = PROC
) -> tuple[ProcessId, ...]:
    """The JACK server and its clients, as far as they may be looked into.

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
        maps = read_bytes(root / str(pid) / "maps")
        return set(semaphore.findall(maps)) if b"/jack_sem." in maps else set()

    if server is None or not lives(server, root):
        return ()
    its_own = semaphores(server.pid)
    others = (pid for pid in _pids(root) if pid != os.getpid())
    return identified((pid for pid in others if its_own & semaphores(pid)), root)


def listening(program: str, path: Path, root: Path = PROC) -> tuple[ProcessId, ...]:
    """Processes of that program which hold the socket open that others find at this path.

    A service manager may hold it as well, and have made it. Another user, or whoever sees other
    files there or counts other process ids, holds another socket of the same name.
    """
    sockets = {
        b"socket:[%s]" % fields[6]
        for fields in (line.split(None, 7) for line in read_bytes(root / "net/unix").splitlines())
        if len(fields) > 7 and _is_same(os.fsdecode(fields[7]), path)
    }
    return tuple(
        each
        for each in (named((program,), root) if sockets else ())
        if sockets & _open_files(each.pid, root)
        and _made(each.pid, path, root)
        and shares_numbers(each.pid, root)
    )


def shares_numbers(pid: int, root: Path = PROC) -> bool:
    """Whether a process counts them as we do, as far as that may be seen."""
    try:
        theirs = (root / str(pid) / "ns/pid").readlink()
    except OSError:
        return True
    return theirs == Path("/proc/self/ns/pid").readlink()


def _is_same(bound: str, path: Path) -> bool:
    """Whether two names are of one file."""
    if bound == str(path) or "\0" in bound or Path(bound).name != path.name:
        return bound == str(path)
    return os.path.realpath(bound) == os.path.realpath(path)


def _made(pid: int, path: Path, root: Path) -> bool:
    """Whether a process may have made what we find there, as far as that may be seen."""
    user = USER.search(read_bytes(root / str(pid) / "status"))
    try:
        found = path.stat()
        is_its_user = user is None or int(user[1]) == found.st_uid
        return is_its_user and os.path.samestat((root / f"{pid}/root/{path}").stat(), found)
    except OSError:
        return True


def read_bytes(path: Path) -> bytes:
    """A kernel file of a process; empty where it is gone or not ours to read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _pids(root: Path) -> Iterator[int]:
    return (int(each) for each in os.listdir(root) if each.isdigit())  # noqa: PTH208 - names alone


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


def _open_files(pid: int, root: Path) -> set[bytes]:
    """What its file descriptors lead to, as far as that may be seen."""
    found = set()
    with contextlib.suppress(OSError):
        for each in (root / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed since it was listed
                found.add(os.fsencode(each.readlink()))
    return found
