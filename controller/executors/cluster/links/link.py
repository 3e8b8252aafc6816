"""One link: frames to a peer and from it, over TCP that never waits."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from enum import Enum

from controller.errors import FrameError, LinkError
from controller.executors.cluster.links.frame import Frame, Kind, encoded_header, payload_view
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
from controller.executors.cluster.links.sockets import (
    broken,
    check_connected,
    has_decrypted,
    send_some,
)

Encrypt = Callable[[socket.socket], ssl.SSLSocket]
SERVICE_BYTES = 1 << 20
"""Bytes after which one peer's turn is over, so that none keeps the others waiting."""
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Stage(Enum):
    """How far a link is."""

    CONNECTING = "connecting"
    ENCRYPTING = "encrypting"
    GREETING = "greeting"
    OPEN = "open"
    CLOSED = "closed"


class Link:
    """Frames over a connected or connecting socket; greets first, and takes nothing before that.

    `send` and `service` return at once. What breaks a link is kept in `error` and never raised,
    since one peer's trouble is not another's; None where an end left in order.
    """

    def __init__(
        self,
        connection: socket.socket,
        peer: str,
        ours: Hello,
        encrypt: Encrypt | None = None,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self.peer = peer
        self.theirs: Hello | None = None
        self.error: FrameError | LinkError | None = None
        self.stage = Stage.CONNECTING
        self.began_ns = time.monotonic_ns()
        self._socket = connection
        self._ours = ours
        self._encrypt = encrypt
        self._reader = FrameReader(peer)
        self._queue = SendQueue(limit_bytes)
        self._tls_wants_write = False

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
        is_connecting = self.stage is Stage.CONNECTING
        return is_connecting or self._tls_wants_write or self._queue.size_bytes > 0

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
        header, payload = _parts(frame)
        size_bytes = len(header) + len(payload)
        if not self.is_open or not self._queue.admits(size_bytes, time.monotonic_ns()):
            return False
        try:
            self._write(header, payload)
        except OSError as error:
            self._close(broken(self.peer, error))
        return self.is_open

    def service(self) -> list[Frame]:
        """Carry on with what waits; the frames that came."""
        frames: list[Frame] = []
        self._tls_wants_write = False
        try:
            self._advance(frames)
        except ssl.SSLWantWriteError:
            self._tls_wants_write = True
        except _NOT_NOW:
            pass
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

    def _advance(self, frames: list[Frame]) -> None:
        if self.stage is Stage.CONNECTING:
            check_connected(self._socket)
            self.stage = Stage.ENCRYPTING
            if self._encrypt is not None:
                self._socket = self._encrypt(self._socket)
        if self.stage is Stage.ENCRYPTING:
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.do_handshake()
            self.stage = Stage.GREETING
            self._write(*_parts(hello_frame(self._ours)))
        if self.stage is not Stage.CLOSED:
            self._flush()
            self._receive(frames)

    def _write(self, header: bytes, payload: memoryview) -> None:
        """Send both, and keep what does not go at once."""
        sent = 0
        if not self._queue.size_bytes:
            with contextlib.suppress(*_NOT_NOW):
                sent = send_some(self._socket, header, payload)
        if sent < len(header) + len(payload):
            self._queue.add((header + payload)[sent:])

    def _flush(self) -> None:
        with contextlib.suppress(*_NOT_NOW):
            while self._queue.size_bytes:
                self._queue.went(self._socket.send(self._queue.first()))

    def _receive(self, frames: list[Frame]) -> None:
        taken_bytes = 0
        while taken_bytes < SERVICE_BYTES or has_decrypted(self._socket):
            count = self._socket.recv_into(self._reader.room())
            if count == 0:
                self._reader.ended()
                raise LinkError(self.peer, "it ended without a farewell", "see what ended it")
            for frame in self._reader.received(count):
                self._take(frame, frames)
            if self.stage is Stage.CLOSED:
                return
            taken_bytes += count

    def _take(self, frame: Frame, frames: list[Frame]) -> None:
        if frame.kind is Kind.BYE:
            self._left(farewell_reason(frame))
        elif frame.kind is Kind.HELLO:
            self._greeted(frame)
        elif self.is_open:
            frames.append(frame)

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
                send_some(self._socket, *_parts(farewell_frame(reason)))

    def _close(self, error: FrameError | LinkError | None) -> None:
        if self.stage is not Stage.CLOSED:
            self.stage, self.error = Stage.CLOSED, error
            self._socket.close()


def _parts(frame: Frame) -> tuple[bytes, memoryview]:
    payload = payload_view(frame)
    return encoded_header(frame, len(payload)), payload
