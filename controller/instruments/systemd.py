"""Notifications to the systemd that started us: `sd_notify(3)`, over a datagram socket."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Self

from controller.tick import Tick


class ServiceManager:
    """An instrument of the loop: ready with the first tick, alive with each, stopping at the end.

    Hence a controller that hangs is ended by its unit (`WatchdogSec`), and our own watchdog puts
    all threads back. Without `NOTIFY_SOCKET` in the environment it does nothing.
    """

    def __init__(self) -> None:
        self._ready = False
        self._socket: socket.socket | None = None
        address = os.environ.get("NOTIFY_SOCKET", "")
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)  # a tick waits for nobody
            self._address = address.replace("@", "\0", 1) if address[0] == "@" else address

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell("STOPPING=1", "STATUS=restoring what was found")
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __call__(self, tick: Tick) -> None:
        """Say that control goes on, and what of."""
        ready = () if self._ready else ("READY=1",)
        self._ready = True
        self._tell(*ready, "WATCHDOG=1", f"STATUS={_in_a_line(tick)}")

    def _tell(self, *assignments: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the next tick tells again
                told = "\n".join(assignments).encode(errors="backslashreplace")
                self._socket.sendto(told, self._address)


def _in_a_line(tick: Tick) -> str:
    """The line that an operator should read first; a line's end would begin another assignment."""
    words = f"alarm: {tick.alarms[0]}" if tick.alarms else tick.diagnosis.summary
    return " ".join(words.split())
