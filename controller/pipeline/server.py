"""The pipeline's side of the conversation with its controller: lines of JSON on a socket."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from controller.errors import PlantError
from controller.linux.process_id import ProcessId, identify_process
from controller.pipeline.files import LOCK_NAME, SOCKET_NAME

Request = Mapping[str, object]
Reply = Mapping[str, object]


def socket_address(directory: Path) -> tuple[str, int]:
    """An address for the socket in `directory`, and the descriptor to close after use.

    Socket paths end at 108 bytes; going through the directory's descriptor, any depth will do.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    return f"/proc/self/fd/{descriptor}/{SOCKET_NAME}", descriptor


def hold_lock(directory: Path) -> int | None:
    """Be the only pipeline here until this process and all its children have ended.

    The descriptor that holds the lock; None where another pipeline does.
    """
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.truncate(descriptor, 0)
    own = identify_process(os.getpid())
    os.pwrite(descriptor, f"{own.pid} {own.start_time}".encode(), 0)
    return descriptor


def holder(directory: Path) -> ProcessId | None:
    """The process that last held the lock; None where it does not tell yet."""
    told = (directory / LOCK_NAME).read_text(encoding="ascii").split()
    return ProcessId(*map(int, told)) if len(told) == 2 else None


class Server:
    """Answers one controller at a time; the latest to connect replaces the one before."""

    def __init__(self, directory: Path) -> None:
        if hold_lock(directory) is None:
            raise PlantError("builtin", f"another pipeline plays in {directory}", "end it first")
        (directory / SOCKET_NAME).unlink(missing_ok=True)
        self._path = directory / SOCKET_NAME
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address, descriptor = socket_address(directory)
        try:
            self._listener.bind(address)
        finally:
            os.close(descriptor)
        self._path.chmod(0o600)
        self._listener.listen(4)
        self._client: socket.socket | None = None
        self._buffer = b""

    def serve(
        self,
        timeout_s: float,
        answer: Callable[[Request], Reply | None],
        others: Sequence[int] = (),
    ) -> bool:
        """Wait up to `timeout_s` for requests, and answer those that ask for it.

        Returns as soon as one of the other file descriptors is readable, too; whether somebody has
        spoken.
        """
        waiting: list[socket.socket | int] = [self._listener, *others]
        if self._client is not None:
            waiting.append(self._client)
        ready, _, _ = select.select(waiting, [], [], timeout_s)
        if self._listener in ready:
            self._accept()
        elif self._client is not None and self._client in ready:
            self._receive(self._client, answer)
        else:
            return False
        return True

    def send(self, message: Reply) -> None:
        """Tell the controller something unasked; where none is connected, nobody hears it."""
        if self._client is None:
            return
        try:
            self._client.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._drop()

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._drop()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        self._drop()
        self._client, _ = self._listener.accept()
        self._client.settimeout(1.0)
        self._buffer = b""

    def _receive(self, client: socket.socket, answer: Callable[[Request], Reply | None]) -> None:
        try:
            received = client.recv(65_536)
            *lines, self._buffer = (self._buffer + received).split(b"\n")
            for line in lines:
                if (reply := answer(json.loads(line))) is not None:
                    client.sendall(json.dumps(reply).encode() + b"\n")
        except OSError:
            received = b""
        if not received:
            self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.close()
        self._client, self._buffer = None, b""
