"""Bytes over a socket that never waits, plain or encrypted: the two differ here alone."""

from __future__ import annotations

import socket
import ssl
from typing import Protocol

from controller.executors.cluster.links.encryption.tls import Encrypt
from controller.executors.cluster.links.sockets import is_connected

RECEIVED_BYTES = 1 << 16
"""Encrypted bytes that are received at once."""


class Connection(Protocol):
    """Bytes to a peer and from it. Raises OSError where it breaks, and BlockingIOError never."""

    @property
    def wants_write(self) -> bool:
        """Whether bytes that were taken still wait for the kernel."""
        ...

    def is_ready(self) -> bool:
        """Carry on with what has to be agreed first; whether that is done."""
        ...

    def send(self, header: bytes, payload: memoryview) -> int:
        """Take what goes at once of both, and say how many bytes."""
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

    def is_ready(self) -> bool:
        """Nothing has to be agreed."""
        return True

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
    """TLS over TCP, with one call of the kernel for all records of a frame.

    One frame at most waits in it encrypted, since nothing is taken meanwhile.
    """

    def __init__(self, connected: socket.socket, encrypt: Encrypt) -> None:
        self._socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = encrypt(self._incoming, self._outgoing)
        self._unsent = memoryview(b"")

    @property
    def wants_write(self) -> bool:
        """Whether encrypted bytes wait."""
        return len(self._unsent) > 0

    def is_ready(self) -> bool:
        """Carry on with the handshake. Raises SSLError, of which the peer is told."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                if not self._take_in():
                    return False
            except ssl.SSLError:
                self._flush()
                raise
            else:
                self._flush()
                return True

    def send(self, header: bytes, payload: memoryview) -> int:
        """Take both, or nothing while some of the last waits."""
        self._flush()
        if self._unsent:
            return 0
        whole, taken = memoryview(header + payload), 0
        while taken < len(whole):
            taken += self._tls.write(whole[taken:])
        self._flush()
        return taken

    def receive(self, room: memoryview) -> int | None:
        """Fill the room with what is there of a record."""
        if not self.has_hidden() and not self._take_in():
            return None
        while True:
            try:
                return self._tls.read(len(room), room)  # type: ignore[return-value] # typed for no buffer
            except ssl.SSLWantReadError:
                if not self._take_in():
                    return None
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return 0

    def has_hidden(self) -> bool:
        """Whether records were received that are not decrypted yet, or in part."""
        return self._incoming.pending > 0 or self._tls.pending() > 0

    def _take_in(self) -> bool:
        """Receive encrypted bytes; whether there was anything, if only the end."""
        try:
            received = self._socket.recv(RECEIVED_BYTES)
        except BlockingIOError:
            return False
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()
        return True

    def _flush(self) -> None:
        """Send what is encrypted, as far as it goes."""
        if not self._unsent and self._outgoing.pending:
            self._unsent = memoryview(self._outgoing.read())
        if self._unsent:
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            except BlockingIOError:
                return


class Opening:
    """A socket on its way: connected first, then encrypted where that is wanted."""

    def __init__(self, connecting: socket.socket, encrypt: Encrypt | None) -> None:
        self._socket = connecting
        self._encrypt = encrypt
        self._connection: Connection | None = None

    @property
    def wants_write(self) -> bool:
        """Whether to go on when the socket takes bytes."""
        return self._connection is None or self._connection.wants_write

    def advance(self) -> Connection | None:
        """The connection once it is ready. Raises OSError where there is none to be had."""
        if self._connection is None and is_connected(self._socket):
            self._connection = (
                PlainConnection(self._socket)
                if self._encrypt is None
                else EncryptedConnection(self._socket, self._encrypt)
            )
        is_ready = self._connection is not None and self._connection.is_ready()
        return self._connection if is_ready else None
