"""Which server this process is a client of: another start of it is another server."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

from controller.errors import ThreadGoneError
from controller.linux.scheduling import identify

CREDENTIALS = struct.Struct("3i")


def connected_server() -> str:
    """The process at the other end of our sockets, and its start; empty where there is none."""
    return next(map(_known_by, sorted(set(_peers()) - {os.getpid()})), "")


def still_runs(server: str) -> bool:
    """Whether that process lives, and no later one has its number."""
    return _known_by(int(server.partition(":")[0] or 0)) == server


def _known_by(pid: int) -> str:
    try:
        return f"{pid}:{identify(pid).start_time}"
    except ThreadGoneError:  # or it cannot be seen from here
        return f"{pid}:"


def _peers() -> Iterator[int]:
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - names alone
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as each:
            if each.family == socket.AF_UNIX:
                told = each.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
                yield CREDENTIALS.unpack(told)[0]
