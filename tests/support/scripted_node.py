"""A node in a few lines, which does what its arguments say; run as a program."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

READY = f"print('{json.dumps({'ready': True, 'address': None})}', flush=True)"


def scripted(*lines: str) -> tuple[str, ...]:
    """The arguments of a node that runs these lines of Python, and then waits for its end."""
    return ("{python}", "-IS", "-c", "; ".join((*lines, "import signal", "signal.pause()")))


READY_NODE = scripted(READY)
"""A node that is ready at once."""


def kill(pid: int) -> None:
    """End a process without a word."""
    os.kill(pid, signal.SIGKILL)


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")
