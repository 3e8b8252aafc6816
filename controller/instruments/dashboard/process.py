"""The control loop's side of the page: a pipe that never waits."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from controller.errors import MissingExtraError, PortInUseError
from controller.instruments.dashboard.picture import picture
from controller.linux.os_errors import explained_port
from controller.plain_json import JsonValue
from controller.tick import Tick
from policies.knobs import Knob

ADDRESS = "127.0.0.1"
PACKAGES = ("starlette", "uvicorn")
FEED_BYTES = 1 << 20
FAREWELL_S = 3.0


class Dashboard:
    """An instrument of the loop, whose page is served until it is closed.

    The page has a process of its own, for its work would hold the interpreter lock, and dies
    with this one at the latest. A tick that the process has no room for is dropped, and shows
    on the page as a gap. `begin` comes before the first tick; the port is taken at once, and 0
    takes any free one. Raises MissingExtraError, PortInUseError.
    """

    def __init__(self, port: int, say: Callable[[str], None] = print) -> None:
        for package in PACKAGES:
            if find_spec(package) is None:
                raise MissingExtraError(package, "dashboard")
        self._say = say
        self._knobs: Callable[[], Mapping[str, Knob]] = dict
        self._gone = False
        self.dropped = 0
        with _bind(port) as listener:
            self.port: int = listener.getsockname()[1]
            self._feed, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._feed.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, FEED_BYTES)
                self._feed.setblocking(False)
                self._process = _start(listener, theirs)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{ADDRESS}:{self.port}/"

    @property
    def pid(self) -> int:
        """The page's process."""
        return self._process.pid

    def begin(
        self, run: Mapping[str, JsonValue], knobs: Callable[[], Mapping[str, Knob]] = dict
    ) -> None:
        """Say what runs: until then, a browser waits. `knobs` tells what the plant has."""
        self._knobs = knobs
        self._send(run)

    def __call__(self, tick: Tick) -> None:
        """Show this tick, if there is room."""
        if not self._gone:
            self._send(picture(tick, self._knobs()))

    def close(self) -> None:
        """Say on the page that the run is over, and free the port; a second call does nothing."""
        self._feed.close()
        self._gone = True
        try:
            self._process.wait(FAREWELL_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, message: Mapping[str, JsonValue]) -> None:
        packed = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
        try:
            self._feed.send(packed)
        except ConnectionError:
            self._gone = True
            with contextlib.suppress(OSError):  # the terminal may have been closed
                self._say("the live page's process ended; control goes on without the page")
        except OSError:  # no room, or more than there ever is
            self.dropped += 1


def _bind(port: int) -> socket.socket:
    """Listen here already, so that a browser can come before the process is up."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, port))
        listener.listen()
    except OSError as error:
        listener.close()
        other = "choose another one in a --config file, or as KAPELLMEISTER_DASHBOARD__PORT"
        raise PortInUseError(
            "dashboard.port", ADDRESS, port, *explained_port(error, other)
        ) from error
    return listener


def _start(listener: socket.socket, feed: socket.socket) -> subprocess.Popen[bytes]:
    home = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    inherited = (listener.fileno(), feed.fileno())
    return subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-m",
            "controller.instruments.dashboard.server",
            *map(str, inherited),
        ],
        pass_fds=inherited,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # a signal of the terminal is for the loop
    )
