"""One node as a child process: its start, its lines and its end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys

from controller.executors.cluster.membership.membership import NodeCommand
from controller.executors.cluster.membership.node_lines import (
    LONGEST_LINE_BYTES,
    Told,
    parse_line,
)
from controller.linux.prctl import dying_with_parent
from controller.monitors.environment import with_our_packages


class NodeProcess:
    """A child in a session of its own, which has SIGKILL when the thread that made it ends.

    Raises OSError from the constructor where the system grants no process.
    """

    def __init__(self, command: NodeCommand, name: str) -> None:
        arguments = command.for_node(name, sys.executable)
        self._received = b""
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
        """What it told since the last call; never waits."""
        return [told for line in self._lines() if (told := parse_line(line)) is not None]

    def wait(self) -> list[Told]:
        """What it tells next, as soon as it does; nothing where its output has ended."""
        if self._process.stdout is not None:
            select.select([self._process.stdout], [], [])
        return self.heard()

    def status(self) -> str | None:
        """How it ended, in words; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        if status < 0:
            return f"it was ended by {signal.Signals(-status).name}"
        return f"it ended with status {status}"

    def end(self) -> None:
        """End it and all that it started, and wait until it is gone; harmless when it is."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _lines(self) -> list[bytes]:
        pipe = self._process.stdout
        while pipe is not None and not pipe.closed and select.select([pipe], [], [], 0.0)[0]:
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                break
            self._received = (self._received + chunk)[-16 * LONGEST_LINE_BYTES :]
        *lines, self._received = self._received.split(b"\n")
        return lines
