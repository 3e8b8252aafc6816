"""Tells of programs of other users, which the kernel lets us watch and not reschedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from controller.linux.process_access import Reason, owner_obstacle
from controller.linux.process_id import PROC, ProcessId


class OtherUsers:
    """Says of each process, once, that its threads cannot be rescheduled, where that is so."""

    def __init__(self, say: Callable[[str], None], root: Path = PROC) -> None:
        self._say = say
        self._root = root
        self._known: set[ProcessId] = set()

    def look(self, processes: Iterable[ProcessId]) -> None:
        """Examine new processes; one line for all that have the same obstacle."""
        refused: dict[Reason, list[str]] = {}
        now = set(processes)
        for process in sorted(now - self._known, key=lambda each: each.pid):
            reason = owner_obstacle(process.pid, self._root)
            if reason is not None:
                refused.setdefault(reason, []).append(str(process.pid))
        self._known = now
        for (why, remedy), pids in refused.items():
            which = "process" if len(pids) == 1 else "processes"
            told = f"{which} {', '.join(pids)}: watched and not rescheduled: {why}"
            self._say(f"{told}; {remedy}")
