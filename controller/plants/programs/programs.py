"""The processes that the configuration means by its programs, as time goes on."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from controller.linux.control_group import is_group
from controller.linux.process_id import PROC, ProcessId, has_ended
from controller.plants.programs.matching import is_id, meant_by
from controller.plants.programs.names import RunningProcess
from controller.plants.programs.processes import named, others
from controller.plants.programs.search import Search


class Programs:
    """Finds the processes anew now and then, and knows those again that it has found.

    An id means the process that has it at the start, until that ends, and none that began after it
    was named. What is hidden for a while is not forgotten. What was found by name stays found for
    as long as it lives, whatever it or its file is called later, until it calls exec: then it is
    another program. A control group means those that are in it now.
    """

    def __init__(
        self, wanted: Collection[str], named_at: int | None = None, root: Path = PROC
    ) -> None:
        self._root = root
        self._groups = [each for each in wanted if is_group(each)]
        self._names = [each for each in wanted if not is_group(each) and not is_id(each)]
        self._pinned = tuple(
            each
            for each in named([each for each in wanted if is_id(each)], root)
            if named_at is None or each.start_time <= named_at
        )
        self._known: dict[ProcessId, RunningProcess] = {}
        self._members: tuple[ProcessId, ...] = ()
        self._search = Search(self._find)

    def renew(self) -> None:
        """Look anew at the next call."""
        self._search.renew()

    def processes(self) -> tuple[ProcessId, ...]:
        """The processes that live now, or are hidden, of which none is known to have ended."""
        found = self._search.processes()
        return tuple(each for each in found if not has_ended(each, self._root))

    def _find(self) -> tuple[ProcessId, ...]:
        if not self._names and not self._groups:
            return self._pinned
        running = others(self._root)
        kept = {each.process: each for each in running if self._goes_on(each)}
        new = [each for each in running if each.process not in kept]
        found = (each for name in self._names for each in meant_by(name, new, kept.values()))
        seen = {each.process for each in running}
        hidden = {each: how for each, how in self._known.items() if self._is_hidden(each, seen)}
        self._known = kept | hidden | {each.process: each for each in found}
        members = [each.process for group in self._groups for each in meant_by(group, running)]
        members += (each for each in self._members if self._is_hidden(each, seen))
        self._members = tuple(members)
        return tuple(dict.fromkeys((*self._pinned, *self._known, *members)))

    def _is_hidden(self, process: ProcessId, seen: Collection[ProcessId]) -> bool:
        return process not in seen and not has_ended(process, self._root)

    def _goes_on(self, running: RunningProcess) -> bool:
        known = self._known.get(running.process)
        return known is not None and known.stat.image == running.stat.image
