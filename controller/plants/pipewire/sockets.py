"""Who is at the other end of a unix socket: the kernel knows, whatever paths and names there are.

The kernel tells through NETLINK_SOCK_DIAG, as it does to `ss -x`: see sock_diag(7).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLMSG_ERROR, NLMSG_DONE = 2, 3
REQUEST_ALL = 0x1 | 0x300
"""Flags of a request for all sockets: NLM_F_REQUEST and NLM_F_DUMP."""
UDIAG_SHOW_PEER, UNIX_DIAG_PEER = 4, 2
ALL_STATES = 0xFFFF_FFFF
HEADER, REQUEST, MESSAGE, ATTRIBUTE = (
    struct.Struct(each) for each in ("=LHHLL", "=BBHLLLLL", "=BBBBLLL", "=HH")
)
LONGEST_REPLY = 1 << 16
PATIENCE_S = 1.0


def unix_peers() -> dict[int, int]:
    """The inode of each connected unix socket here, and that of its peer.

    Raises OSError where the kernel does not tell.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as link:
        link.settimeout(PATIENCE_S)
        wanted = REQUEST.pack(socket.AF_UNIX, 0, 0, ALL_STATES, 0, UDIAG_SHOW_PEER, 0, 0)
        length = HEADER.size + len(wanted)
        link.send(HEADER.pack(length, SOCK_DIAG_BY_FAMILY, REQUEST_ALL, 0, 0) + wanted)
        return dict(_received(link))


def sockets_of(pid: int, root: Path) -> set[int]:
    """The inodes of the sockets that a process holds open.

    Raises OSError where it has ended, or is not ours to look into.
    """
    found = set()
    for each in (root / str(pid) / "fd").iterdir():
        kind, _, inode = _target(each).partition(":[")
        if kind == "socket":
            found.add(int(inode.rstrip("]")))
    return found


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - it leads to no file
    except OSError:
        return ""  # closed since it was listed


def _received(link: socket.socket) -> Iterator[tuple[int, int]]:
    while True:
        reply = link.recv(LONGEST_REPLY)
        while reply:
            length, kind, *_ = HEADER.unpack_from(reply)
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR:
                number = -struct.unpack_from("=i", reply, HEADER.size)[0]
                raise OSError(number, os.strerror(number))
            yield from _peer(reply[HEADER.size : length])
            reply = reply[_aligned(length) :]


def _peer(message: bytes) -> Iterator[tuple[int, int]]:
    inode = MESSAGE.unpack_from(message)[4]
    rest = message[MESSAGE.size :]
    while len(rest) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(rest)
        if kind == UNIX_DIAG_PEER:
            yield inode, struct.unpack_from("=L", rest, ATTRIBUTE.size)[0]
        rest = rest[_aligned(length) :]


def _aligned(length: int) -> int:
    """Netlink's messages and attributes begin at multiples of four bytes."""
    return -(-length // 4) * 4
