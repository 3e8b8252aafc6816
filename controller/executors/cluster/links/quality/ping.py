"""Questions and answers that measure a link: PING carries an instant, PONG three."""

from __future__ import annotations

import struct

from controller.errors import FrameError
from controller.executors.cluster.links.frame import Frame, Kind
from controller.executors.cluster.links.quality.clock_offset import Exchange

SMALL_BYTES = 0
LARGE_BYTES = 1 << 18
"""Bytes that a PING is filled up with, to measure the bandwidth."""
_PING = struct.Struct("<q")
_PONG = struct.Struct("<qqqI")


def ping(now_ns: int, filling_bytes: int = SMALL_BYTES) -> Frame:
    """A question asked now, CLOCK_MONOTONIC, longer by so many bytes."""
    return Frame(Kind.PING, _PING.pack(now_ns) + bytes(filling_bytes))


def answer(peer: str, question: Frame, received_ns: int, now_ns: int) -> Frame:
    """The answer to a peer's question. Raises FrameError where it is none."""
    if len(question.payload) < _PING.size:
        raise _malformed(peer, question)
    (asked_ns,) = _PING.unpack_from(question.payload)
    filling_bytes = len(question.payload) - _PING.size
    return Frame(Kind.PONG, _PONG.pack(asked_ns, received_ns, now_ns, filling_bytes))


def exchange_of(peer: str, answered: Frame, heard_ns: int) -> tuple[Exchange, int]:
    """What an answer says, and the filling of its question. Raises FrameError where it cannot be.

    A peer cannot answer before it was asked, nor take longer than we waited.
    """
    if len(answered.payload) != _PONG.size:
        raise _malformed(peer, answered)
    asked_ns, received_ns, answered_ns, filling_bytes = _PONG.unpack(answered.payload)
    exchange = Exchange(asked_ns, received_ns, answered_ns, heard_ns)
    if answered_ns < received_ns or asked_ns > heard_ns or exchange.round_trip_ns < 0:
        raise FrameError(peer, "an answer before its question", "see the clock of that host")
    return exchange, filling_bytes


def _malformed(peer: str, frame: Frame) -> FrameError:
    why = f"a {frame.kind.name} of {len(frame.payload)} bytes"
    return FrameError(peer, why, "install the same version of kapellmeister on every host")
