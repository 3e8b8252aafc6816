"""Notices that the journal was deleted, or another put in its place, while a run records in it.

What is open stays so, and the system writes on into files that nobody can find any more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from controller.errors import JournalError

REMEDY = "leave the files of a run alone until it ends; the next one makes them anew"


class LossWatch:
    """Compares files with those that were found at first, and says once that one is lost."""

    def __init__(self, say: Callable[[str], None], *paths: Path) -> None:
        self._say = say
        self._found = {path: _identity(path) for path in paths}
        self._lost: JournalError | None = None

    @property
    def lost(self) -> JournalError | None:
        """Loss of the first file that was gone at some time; None while all were there."""
        return self._lost

    def warn(self) -> str | None:
        """The alarm of a loss, at the first call after it; else None."""
        if self._lost is not None:
            return None
        for path, found in self._found.items():
            if _identity(path) != found:
                why = "it was deleted while a run goes on, which is recorded nowhere any more"
                self._lost = JournalError(path, why, REMEDY)
                self._say(str(self._lost))
                return str(self._lost)
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file this is; None where there is none, or none that may be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
