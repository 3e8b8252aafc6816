"""Bytes over a socket that never waits, plain or encrypted: the two differ here alone."""

from __future__ import annotations

import socket
import ssl
from typing import Protocol

from controller.executors.cluster.links.encryption.tls import Encrypt
from controller.executors.cluster.links.sockets import broken, check_connected

_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection(Protocol):
    """Bytes to a peer and from it. What is raised is OSError, and BlockingIOError never."""

    wants_write: bool
    """Whether TLS has something of its own to send before it goes on."""

    def send(self, header: bytes, payload: memoryview) -> int:
        """Send what goes at once of both, and say how many bytes."""
        ...

    def receive(self, room: memoryview) -> int | None:
        """Fill the room with what is there, 0 bytes at the end; None where nothing is there."""
        ...

    def has_hidden(self) -> bool:
        """Whether bytes are there that epoll does not know of."""
        ...


class PlainConnection:
    """TCP alone."""

    wants_write = False

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def send(self, header: bytes, payload: memoryview) -> int:
        """Send what goes at once of both, without a copy."""
        try:
            return self._socket.sendmsg((header, payload))
        except BlockingIOError:
            return 0

    def receive(self, room: memoryview) -> int | None:
        """Fill the room with what is there."""
        try:
            return self._socket.recv_into(room)
        except BlockingIOError:
            return None

    def has_hidden(self) -> bool:
        """Nothing is."""
        return False


class EncryptedConnection:
    """TLS over TCP, once the handshake is done."""

    def __init__(self, connected: ssl.SSLSocket) -> None:
        self.wants_write = False
        self._socket = connected

    def send(self, header: bytes, payload: memoryview) -> int:
        """Send what goes at once of both, a record of 16 KiB at a time."""
        whole, sent = memoryview(header + payload), 0
        try:
            while sent < len(whole):
                sent += self._socket.send(whole[sent:])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass  # the rest goes later
        return sent

    def receive(self, room: memoryview) -> int | None:
        """Fill the room with what is there of a record."""
        self.wants_write = False
        try:
            return self._socket.recv_into(room)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLWantWriteError:
            self.wants_write = True
            return None

    def has_hidden(self) -> bool:
        """Whether a record was read in part."""
        return self._socket.pending() > 0


class Opening:
    """A socket on its way: connected first, then encrypted where that is wanted."""

    def __init__(self, connecting: socket.socket, peer: str, encrypt: Encrypt | None) -> None:
        self.socket = connecting
        self.wants_write = True
        self._peer = peer
        self._encrypt = encrypt

    def advance(self) -> Connection | None:
        """The connection once it is there. Raises LinkError where there is none to be had."""
        try:
            return self._advanced()
        except ssl.SSLWantReadError:
            self.wants_write = False
        except _NOT_NOW:
            self.wants_write = True
        except OSError as error:
            raise broken(self._peer, error) from error
        return None

    def _advanced(self) -> Connection:
        check_connected(self.socket)
        if self._encrypt is None:
            return PlainConnection(self.socket)
        if not isinstance(self.socket, ssl.SSLSocket):
            self.socket = self._encrypt(self.socket)
        self.socket.do_handshake()
        return EncryptedConnection(self.socket)
