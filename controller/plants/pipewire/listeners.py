"""Which processes of a program listen on a socket: those that others reach at its path."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from controller.linux.process_id import PROC, ProcessId
from controller.plants.programs.processes import named, read_bytes

USER = re.compile(rb"^Uid:\s+(?:\d+\s+){3}(\d+)", re.MULTILINE)
"""Pattern of the user as which a process makes files."""


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
        and shares_process_ids(each.pid, root)
    )


def shares_process_ids(pid: int, root: Path = PROC) -> bool:
    """Whether a process counts process ids as we do, as far as that may be seen."""
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


def _open_files(pid: int, root: Path) -> set[bytes]:
    """The targets of its file descriptors, as far as they may be seen."""
    found = set()
    with contextlib.suppress(OSError):
        for each in (root / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed since it was listed
                found.add(os.fsencode(each.readlink()))
    return found
