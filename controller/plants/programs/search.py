"""A search for processes that is repeated now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

from controller.linux.process_id import ProcessId

SEARCH_EVERY_S = 5.0


class Search:
    """Looks for processes now and then: to go through all of a machine takes milliseconds."""

    def __init__(self, find: Callable[[], tuple[ProcessId, ...]]) -> None:
        self._find = find
        self._found: tuple[ProcessId, ...] = ()
        self._due_s = 0.0

    def renew(self) -> None:
        """Look anew at the next call."""
        self._due_s = 0.0

    def processes(self) -> tuple[ProcessId, ...]:
        """The processes that were found last; some may have ended since."""
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._found, self._due_s = self._find(), now_s + SEARCH_EVERY_S
        return self._found
