"""A frame: what travels on a link, a fixed header and its payload."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from controller.errors import FrameError

MAGIC = b"KPLM"
VERSION = 1
LONGEST_PAYLOAD_BYTES = 1 << 20
"""Bytes of a payload at most; what is longer travels in pieces."""
LONGEST_GREETING_BYTES = 4096
"""Bytes of the payload that a peer may send before it has said who it is."""
LARGEST_SHARD = (1 << 16) - 1

_HEADER = struct.Struct("<4sBBHIQI")
HEADER_BYTES = _HEADER.size
"""Bytes of a header: magic, version, kind, shard, epoch, sequence, length, little-endian."""


class Kind(IntEnum):
    """Kinds of frames, by their payload."""

    HELLO = 1
    SPEC = 2
    SOFA = 3
    READY = 4
    INPUT = 5
    BUS = 6
    OWN = 7
    PING = 8
    PONG = 9
    STATE = 10
    BYE = 11


FIRST_KINDS = frozenset({Kind.HELLO, Kind.BYE})
"""Kinds that a peer may begin with."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: `sequence` is the number of the block, `epoch` that of the assignment.

    `payload` may be any contiguous buffer of bytes; a frame that was received holds bytes.
    """

    kind: Kind
    payload: bytes | bytearray | memoryview = b""
    shard: int = 0
    epoch: int = 0
    sequence: int = 0


Header: TypeAlias = tuple[Kind, int, int, int, int]
"""Fields of a header: kind, shard, epoch, sequence, bytes of the payload."""


def encoded(frame: Frame) -> tuple[bytes, memoryview]:
    """Header of a frame, HEADER_BYTES long, and its payload as bytes, without a copy.

    Raises FrameError where no frame can be so long, and TypeError where it is not contiguous.
    """
    view = memoryview(frame.payload)
    size_bytes = view.nbytes
    if size_bytes > LONGEST_PAYLOAD_BYTES:
        raise too_long(f"a node ({frame.kind.name})", size_bytes, LONGEST_PAYLOAD_BYTES)
    header = _HEADER.pack(
        MAGIC, VERSION, frame.kind, frame.shard, frame.epoch, frame.sequence, size_bytes
    )
    return header, view.cast("B") if size_bytes else _NOTHING


def decoded_header(peer: str, received: bytes | bytearray, offset: int = 0) -> Header:
    """Header at an offset of what a peer sent. Raises FrameError for what is none of ours."""
    magic, version, kind, shard, epoch, sequence, length = _HEADER.unpack_from(received, offset)
    if magic != MAGIC:
        why = f"a stranger: it begins with {bytes(magic)!r}, which is no frame"
        raise FrameError(peer, why, "keep other programs off this port")
    if version != VERSION:
        why = f"it speaks version {version} of the protocol, and this program version {VERSION}"
        raise FrameError(peer, why, "install the same version of kapellmeister on every host")
    if kind not in _KINDS:
        why = f"a frame of the unknown kind {kind}"
        raise FrameError(peer, why, "install the same version of kapellmeister on every host")
    if length > LONGEST_PAYLOAD_BYTES:
        raise too_long(peer, length, LONGEST_PAYLOAD_BYTES)
    return _KINDS[kind], shard, epoch, sequence, length


def too_long(peer: str, length_bytes: int, limit_bytes: int) -> FrameError:
    """The error of a frame that nobody may send."""
    why = f"a frame of {length_bytes:,} bytes, and {limit_bytes:,} are the most"
    return FrameError(peer, why, "send it in pieces")


_NOTHING = memoryview(b"")
_KINDS = {int(kind): kind for kind in Kind}
