"""The controller's side of a monitor: the newest line that it said, and orders to it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

from controller.linux.os_errors import explained
from controller.monitors.environment import with_our_packages

RESTART_AFTER_S = 5.0
"""Interval, s, at which an ended monitor is started again: its server may be back."""
SILENT_S = 10.0
"""Silence, s, after which a monitor is taken to hang, and replaced."""
ENDED = ("its monitor has ended unexpectedly", "wait, it is started again")
POLL_S = 0.02


class MonitorLink:
    """A monitor as a child process that prints one JSON object a line.

    Where it ends or hangs, as it may with its server, it is started again now and then: after
    RESTART_AFTER_S, and twice as long each time that it told nothing, up to `longest_pause_s`.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        silent_s: float = SILENT_S,
        longest_pause_s: float = RESTART_AFTER_S,
    ) -> None:
        self._silent_s = silent_s
        self._longest_pause_s = longest_pause_s
        self._pause_s = RESTART_AFTER_S
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._received = b""
        self._started_s = self._heard_s = 0.0
        self._error: tuple[str, str] = ("nothing was heard of it yet", "wait")
        self._complained = False
        self._start()

    @property
    def pid(self) -> int | None:
        """The monitor's process, whose cost belongs to control; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def error(self) -> tuple[str, str]:
        """Why nothing is heard, and the remedy, as the last monitor said before it ended."""
        return self._error

    def newest(self) -> list[dict[str, Any]]:
        """All lines since the last call, oldest first; never waits."""
        now_s = time.monotonic()
        if self._process is None:
            if now_s - self._started_s > self._pause_s:
                self._pause_s = min(self._longest_pause_s, 2 * self._pause_s)
                self._start()
            return []
        lines = self._read(self._process)
        if lines:
            self._heard_s = now_s
        elif self._process is not None and now_s - self._heard_s > self._silent_s:
            self._error = ("it does not answer", "see whether it hangs")
            self._end()
        told = [line for line in lines if not self._is_error(line)]
        if told:
            self._pause_s = RESTART_AFTER_S
        return told

    def wait(self, patience_s: float) -> list[dict[str, Any]]:
        """The first lines, or none where none came in time or the monitor ended."""
        until_s = time.monotonic() + patience_s
        while time.monotonic() < until_s:
            if lines := self.newest():
                return lines
            if self._process is None:
                return []
            time.sleep(POLL_S)
        return []

    def tell(self, order: str) -> bool:
        """Give an order; whether there is somebody to take it."""
        pipe = None if self._process is None else self._process.stdin
        if pipe is None or not select.select([], [pipe], [], 0.0)[1]:
            return False
        try:
            pipe.write(f"{order}\n".encode())
        except BrokenPipeError:
            return False
        return True

    def close(self) -> None:
        """End the monitor."""
        self._end()

    def _start(self) -> None:
        self._started_s = self._heard_s = time.monotonic()
        self._received = b""
        self._complained = False
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                cwd="/",
                env=with_our_packages(),
                start_new_session=True,
            )
        except OSError as error:  # in the middle of a run it is tried again
            why, remedy = explained(error)
            self._error = f"its monitor cannot be started: {why}", remedy

    def _read(self, process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
        if process.stdout is None:
            return []
        descriptor, ended = process.stdout.fileno(), False
        while select.select([descriptor], [], [], 0.0)[0]:
            chunk = os.read(descriptor, 65536)
            self._received += chunk
            if not chunk:
                ended = True
                break
        *lines, self._received = self._received.split(b"\n")
        if ended:
            self._error = self._error if self._complained else ENDED
            self._end()
        return [json.loads(line) for line in lines]

    def _is_error(self, line: dict[str, Any]) -> bool:
        if "error" not in line:
            return False
        why, remedy = line["error"]
        self._error = (str(why), str(remedy))
        self._complained = True
        return True

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with the tools that it may have started
        process.wait()
