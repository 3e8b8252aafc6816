"""One link: frames to a peer and from it, over TCP that never waits."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from enum import Enum

from controller.errors import FrameError, LinkError
from controller.executors.cluster.links.connection import Connection, Opening
from controller.executors.cluster.links.encryption.tls import Encrypt
from controller.executors.cluster.links.frame import FIRST_KINDS, Frame, Kind, encoded
from controller.executors.cluster.links.frame_reader import FrameReader
from controller.executors.cluster.links.hello import (
    Hello,
    check_hello,
    decoded_hello,
    farewell_frame,
    farewell_reason,
    hello_frame,
)
from controller.executors.cluster.links.send_queue import LIMIT_BYTES, SendQueue
from controller.executors.cluster.links.sockets import broken

SERVICE_BYTES = 1 << 20
"""Bytes after which one peer's turn is over, so that none keeps the others waiting."""


class Stage(Enum):
    """How far a link is."""

    CONNECTING = "connecting"
    GREETING = "greeting"
    OPEN = "open"
    CLOSED = "closed"


class Link:
    """Frames over a connected or connecting socket; greets first, and takes nothing before that.

    `send` and `service` return at once. What breaks a link is kept in `error` and never raised,
    since one peer's trouble is not another's; None where an end left in order. `changed` is called
    when it closes, and when bytes begin to wait.
    """

    def __init__(
        self,
        connecting: socket.socket,
        peer: str,
        ours: Hello,
        encrypt: Encrypt | None = None,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self.peer = peer
        self.theirs: Hello | None = None
        self.error: FrameError | LinkError | None = None
        self.stage = Stage.CONNECTING
        self.changed: Callable[[Link], object] = _nobody_asks
        self.began_ns = time.monotonic_ns()
        self._socket = connecting
        self._opening = Opening(connecting, encrypt)
        self._connection: Connection | None = None
        self._ours = ours
        self._reader = FrameReader(peer)
        self._queue = SendQueue(limit_bytes)

    def fileno(self) -> int:
        """Descriptor of the socket; -1 once it is closed."""
        return self._socket.fileno()

    @property
    def is_open(self) -> bool:
        """Whether both have greeted."""
        return self.stage is Stage.OPEN

    @property
    def wants_write(self) -> bool:
        """Whether to call `service` when the socket takes bytes again."""
        if self._connection is None:
            return self._opening.wants_write
        return self._queue.size_bytes > 0 or self._connection.wants_write

    @property
    def stalled_ns(self) -> int | None:
        """Since when the peer does not read and nothing is taken, CLOCK_MONOTONIC; else None."""
        return self._queue.stalled_ns

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for the peer in this process."""
        return self._queue.size_bytes

    def send(self, frame: Frame) -> bool:
        """Take a frame on its way; False where it was dropped, as the link is stalled or not open.

        The payload may be used again at once. Raises FrameError for a frame too long.
        """
        if self.stage is not Stage.OPEN:
            return False
        header, payload = encoded(frame)
        if self._queue.size_bytes and not self._queue.admits(
            len(header) + len(payload), time.monotonic_ns()
        ):
            return False
        try:
            self._write(header, payload)
        except OSError as error:
            self._close(broken(self.peer, error))
        return self.stage is Stage.OPEN

    def service(self) -> list[Frame]:
        """Carry on with what waits; the frames that came."""
        frames: list[Frame] = []
        try:
            if self.stage is Stage.CONNECTING:
                self._open()
            elif self.wants_write:
                self._flush()
            self._receive(frames)
        except (FrameError, LinkError) as error:
            self.refuse(error)
        except OSError as error:
            self._close(broken(self.peer, error))
        return frames

    def refuse(self, error: FrameError | LinkError) -> None:
        """Have no more to do with this peer, and tell it why."""
        self._say_farewell(error.why)
        self._close(error)

    def close(self) -> None:
        """Leave in order; what waits for the peer is dropped."""
        self._say_farewell("")
        self._close(None)

    def _open(self) -> None:
        self._connection = self._opening.advance()
        if self._connection is not None:
            self.stage = Stage.GREETING
            self._write(*encoded(hello_frame(self._ours)))

    def _write(self, header: bytes, payload: memoryview) -> None:
        """Send both, and keep what does not go at once."""
        sent, connection = 0, self._connection
        if connection is not None and not self._queue.size_bytes:
            sent = connection.send(header, payload)
            if connection.wants_write:
                self.changed(self)
        if sent < len(header) + len(payload):
            self._queue.add((header + payload)[sent:])
            self.changed(self)

    def _flush(self) -> None:
        sent = 1
        while self._connection is not None and sent:
            first = self._queue.first()
            sent = self._connection.send(b"", first)
            if sent:
                self._queue.went(sent)

    def _receive(self, frames: list[Frame]) -> None:
        taken_bytes, connection = 0, self._connection
        while connection is not None:
            room = self._reader.room()
            count = connection.receive(room)
            if count is None:
                return
            if count == 0:
                self._reader.ended()
                raise LinkError(self.peer, "it ended without a farewell", "see what ended it")
            for frame in self._reader.received(count):
                self._take(frame, frames)
            taken_bytes += count
            if self.stage is Stage.CLOSED or self._is_turn_over(taken_bytes, count == len(room)):
                return

    def _is_turn_over(self, taken_bytes: int, is_full: bool) -> bool:
        """Whether no more is likely to be there, or others wait; what epoll cannot see counts."""
        is_likely = is_full or self._reader.filled_bytes > 0
        if is_likely and taken_bytes < SERVICE_BYTES:
            return False
        return self._connection is None or not self._connection.has_hidden()

    def _take(self, frame: Frame, frames: list[Frame]) -> None:
        if frame.kind not in FIRST_KINDS and self.stage is Stage.OPEN:
            frames.append(frame)
        elif frame.kind is Kind.BYE:
            self._left(farewell_reason(frame))
        elif frame.kind is Kind.HELLO and self.stage is not Stage.CLOSED:
            self._greeted(frame)

    def _greeted(self, frame: Frame) -> None:
        if self.is_open:
            raise FrameError(self.peer, "it greets a second time", "give each node its own link")
        self.theirs = decoded_hello(self.peer, frame)
        check_hello(self.peer, self._ours, self.theirs)
        self.stage = Stage.OPEN

    def _left(self, reason: str) -> None:
        remedy = "see the log of the other end"
        self._close(LinkError(self.peer, f"refused there: {reason}", remedy) if reason else None)

    def _say_farewell(self, reason: str) -> None:
        """Send a farewell where a whole one can go."""
        if self.stage in (Stage.GREETING, Stage.OPEN) and not self._queue.size_bytes:
            with contextlib.suppress(OSError):
                self._write(*encoded(farewell_frame(reason)))

    def _close(self, error: FrameError | LinkError | None) -> None:
        if self.stage is not Stage.CLOSED:
            self.stage, self.error = Stage.CLOSED, error
            self._socket.close()
            self.changed(self)


def _nobody_asks(link: Link) -> None:
    del link
