"""The state of a process, as the scheduler has it."""

from __future__ import annotations

from pathlib import Path

RUNNABLE = "R"
"""State of a process that runs, or only waits for a processor."""
STOPPED = ("T", "t")
"""States of a process that a signal or a tracer has stopped."""


def state_of(pid: int) -> str:
    """Its state, a letter as in /proc/PID/stat; empty where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return stat.rpartition(")")[2].split(maxsplit=1)[0]  # a name may hold brackets
