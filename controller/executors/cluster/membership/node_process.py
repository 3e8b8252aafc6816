"""One node as a child process: its start, its lines and its end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

from controller.executors.cluster.membership.membership import NodeCommand
from controller.executors.cluster.membership.node_lines import (
    LONGEST_LINE_BYTES,
    Told,
    parse_line,
)
from controller.linux.prctl import dying_with_parent
from controller.monitors.environment import with_our_packages

WATCHED_EVERY_S = 0.5
"""Interval, s, at which the end of a node shows whose output others hold open."""


class NodeProcess:
    """A child in a session of its own, which has SIGKILL when the thread that made it ends.

    Raises OSError from the constructor where the system grants no process.
    """

    def __init__(self, command: NodeCommand, name: str) -> None:
        arguments = command.for_node(name, sys.executable)
        self._received = b""
        self._has_more = True
        self._process = subprocess.Popen(
            dying_with_parent(*arguments, signal_number=signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=with_our_packages() | dict(command.environment),
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process, on this machine."""
        return self._process.pid

    def heard(self) -> list[Told]:
        """The lines that it told since the last call; never waits."""
        return [told for line in self._lines() if (told := parse_line(line)) is not None]

    def follow(self) -> Iterator[Told]:
        """Yield all that it tells, as it does, until it has ended; for a thread of its own."""
        while self._process.poll() is None:
            self._await_output()
            yield from self.heard()

    def status(self) -> str | None:
        """How it ended, in words; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        if status < 0:
            return f"it was ended by {signal.Signals(-status).name}"
        return f"it ended with status {status}"

    def kill(self) -> None:
        """Kill it and all that it started; harmless when it is gone."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it, and wait until it is gone; harmless when it is."""
        self.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _await_output(self) -> None:
        if self._has_more and (pipe := self._process.stdout) is not None:
            select.select([pipe], [], [], WATCHED_EVERY_S)
        else:
            self._process.wait()

    def _lines(self) -> list[bytes]:
        pipe = self._process.stdout
        while self._has_more and pipe is not None and select.select([pipe], [], [], 0.0)[0]:
            chunk = os.read(pipe.fileno(), 65536)
            self._has_more = bool(chunk)
            self._received = (self._received + chunk)[-16 * LONGEST_LINE_BYTES :]
        *lines, self._received = self._received.split(b"\n")
        return lines
