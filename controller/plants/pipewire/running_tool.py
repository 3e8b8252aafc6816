"""A tool of PipeWire that goes on telling, as a child process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess

from controller.plants.pipewire.command_line import environment

PIPE_BYTES = 1 << 20
"""Size of the pipe, bytes: room for the output between two lines, however short the cycles are."""


class Tool:
    """The tool, and our end of the pipe that it tells into.

    The tool runs where nobody can write: pw-profiler leaves scripts behind where it ends.
    """

    def __init__(self, command: tuple[str, ...]) -> None:
        self.descriptor, theirs = os.pipe()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            cwd="/proc",
            env=environment(),
        )
        with contextlib.suppress(OSError):  # beyond what the system allows it stays as it is
            fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.close(theirs)
        self.ended = False

    @property
    def pid(self) -> int:
        """The tool's process."""
        return self._process.pid

    def has_told(self) -> bool:
        """Whether there is something to read, the end included."""
        return not self.ended and bool(select.select([self.descriptor], [], [], 0.0)[0])

    def read(self) -> bytes:
        """The output so far; empty at the end."""
        chunk = os.read(self.descriptor, 1 << 20)
        self.ended |= not chunk
        return chunk

    def close(self) -> None:
        """End the tool."""
        os.close(self.descriptor)
        self._process.kill()
        self._process.wait()
