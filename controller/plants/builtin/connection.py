"""The controller's side of the conversation with the built-in pipeline."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from controller.pipeline.server import socket_address

STALLED = (TimeoutError, BlockingIOError)
"""Errors of a pipeline that lives and does not listen: callers queue until no more may."""


class Connection:
    """Asks one question at a time, and never waits longer than `patience_s` for the answer.

    A report that was ordered for a certain time comes by itself, between the answers.
    """

    def __init__(self, directory: Path, patience_s: float = 0.3) -> None:
        self._directory = directory
        self._patience_s = patience_s
        self._socket: socket.socket | None = None
        self._received = b""
        self._report: dict[str, Any] | None = None

    def ask(self, do: str, **details: object) -> dict[str, Any] | None:
        """The pipeline's answer; None where it did not answer in time.

        Raises ConnectionError where no pipeline is listening any more.
        """
        try:
            return self._exchange({"do": do, **details})
        except STALLED:
            self.close()  # a late answer must not be taken for that to the next question
            return None
        except OSError as error:
            self.close()
            raise ConnectionError(f"no pipeline answers in {self._directory}") from error

    def order_report(self, due_ns: int) -> None:
        """Have the pipeline report at that instant of the monotonic clock, without being asked.

        An order replaces the one before; a pipeline that is stalled gets none. Raises
        ConnectionError as `ask` does.
        """
        try:
            self._send({"do": "report", "due_ns": due_ns})
        except STALLED:
            self.close()
        except OSError as error:
            self.close()
            raise ConnectionError(f"no pipeline answers in {self._directory}") from error

    def take_report(self) -> dict[str, Any] | None:
        """The ordered report, if it has come; never waits."""
        try:
            while self._socket is not None and select.select([self._socket], [], [], 0.0)[0]:
                self._receive(self._socket)
                for _ in self._answers():
                    raise AssertionError("an answer that nobody had asked for")
        except OSError:
            self.close()
        report, self._report = self._report, None
        return report

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._received, self._report = None, b"", None

    def _exchange(self, request: Mapping[str, object]) -> dict[str, Any]:
        connection = self._send(request)
        while True:
            self._receive(connection)
            for answer in self._answers():
                return answer

    def _send(self, request: Mapping[str, object]) -> socket.socket:
        if self._socket is None:
            self._socket = _connect(self._directory, self._patience_s)
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        return self._socket

    def _receive(self, connection: socket.socket) -> None:
        part = connection.recv(1 << 20)
        if not part:
            raise ConnectionResetError("the pipeline hung up")
        self._received += part

    def _answers(self) -> Iterator[dict[str, Any]]:
        """Complete lines that answer a question; reports are put by."""
        while b"\n" in self._received:
            line, _, self._received = self._received.partition(b"\n")
            message = cast(dict[str, Any], json.loads(line))
            if "report" in message:
                self._report = message["report"]
            else:
                yield message


def _connect(directory: Path, patience_s: float) -> socket.socket:
    address, descriptor = socket_address(directory)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(patience_s)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    finally:
        os.close(descriptor)
    return connection
