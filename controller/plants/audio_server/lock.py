"""A lock, by which one controller alone turns a server, whatever state directories there are.

Two would each take what the other set for what was found, and leave that behind.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from pathlib import Path

from controller.errors import PlantError
from controller.linux.os_errors import explained

HELD = "another controller turns this server", "stop that, or run with --shadow"
"""Reason why a server cannot be turned, and the remedy."""


class ServerLock:
    """A socket in the abstract namespace, which ends with the process that holds it."""

    def __init__(self, plant: str, folder: Path, name: str) -> None:
        """Name the server by a folder and a name in there, however either is spelt.

        Raises PlantError where another controller holds it, of any user.
        """
        server = hashlib.sha256(repr((*_identity(folder), name)).encode()).hexdigest()
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.bind(f"\0kapellmeister/{plant}/{server}")
        except OSError as error:
            self._socket.close()
            held = error.errno == errno.EADDRINUSE
            raise PlantError(plant, *(HELD if held else explained(error))) from error

    def close(self) -> None:
        """Let another controller turn the server."""
        self._socket.close()


def _identity(folder: Path) -> tuple[object, ...]:
    """The folder itself, which keeps its place while servers come and go in it."""
    try:
        found = folder.stat()
    except OSError:
        return (os.path.realpath(folder),)
    return found.st_dev, found.st_ino
