"""The controller's side of the conversation with the built-in pipeline."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from controller.pipeline.server import socket_address


class Connection:
    """Asks one question at a time, and never waits longer than `patience_s` for the answer."""

    def __init__(self, directory: Path, patience_s: float = 0.3) -> None:
        self._directory = directory
        self._patience_s = patience_s
        self._socket: socket.socket | None = None

    def ask(self, do: str, **details: object) -> dict[str, Any] | None:
        """The pipeline's answer; None where it did not answer in time.

        Raises ConnectionError where no pipeline is listening any more.
        """
        try:
            return self._exchange({"do": do, **details})
        except TimeoutError:
            self.close()  # a late answer must not be taken for that to the next question
            return None
        except OSError as error:
            self.close()
            raise ConnectionError(f"no pipeline answers in {self._directory}") from error

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _exchange(self, request: Mapping[str, object]) -> dict[str, Any]:
        if self._socket is None:
            self._socket = _connect(self._directory, self._patience_s)
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        received = b""
        while not received.endswith(b"\n"):
            part = self._socket.recv(1 << 20)
            if not part:
                raise ConnectionResetError("the pipeline hung up")
            received += part
        return cast(dict[str, Any], json.loads(received))


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
