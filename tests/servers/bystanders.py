"""Programs that have nothing to do with the sound under control, and must be left as they are."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from live_run import Schedule, schedules

LURE = "import time\nwhile True: time.sleep(0.0012)"
"""Program that wakes as often as an audio thread does, and plays nothing."""


class Bystanders:
    """Every process that lives now, but this one and those that are `concerned`.

    Nor other controllers, which schedule themselves.
    """

    def __init__(self, concerned: Collection[int]) -> None:
        aside = {os.getpid(), *concerned}
        self._processes = {
            pid: start
            for pid, start in _living().items()
            if pid not in aside and not _is_a_controller(pid)
        }
        self._found: dict[tuple[int, int], Schedule] = {}
        self.changed: set[str] = set()
        self.looks = 0
        self.look()

    def add(self, process: int) -> None:
        """Watch one that came later."""
        self._processes[process] = _living()[process]

    def look(self) -> None:
        """Compare how their threads are scheduled with what was seen first."""
        self.looks += 1
        living = _living()
        for pid, start in self._processes.items():
            if living.get(pid) == start:
                self._compare(pid)

    def _compare(self, pid: int) -> None:
        for thread, how in schedules(pid).items():
            found = self._found.setdefault((pid, thread), how)
            if how != found:
                self.changed.add(f"{_name(pid)}: {found} became {how}")


def _living() -> dict[int, str]:
    """Each process, and when it started."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):  # it has ended since
            continue
        found[int(folder.name)] = stat.rpartition(")")[2].split()[19]
    return found


def _is_a_controller(pid: int) -> bool:
    try:
        return b"kapellmeister" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _name(pid: int) -> str:
    try:
        return f"{pid} ({Path(f'/proc/{pid}/comm').read_text(errors='replace').strip()})"
    except (FileNotFoundError, ProcessLookupError):
        return str(pid)
