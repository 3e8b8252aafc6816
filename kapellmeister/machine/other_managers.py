"""Programs that may reschedule the same threads as we do, and the watch for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from kapellmeister.machine import linux as kernel

_BY_NAME = (
    "sets nice level and policy of programs by name, again every few seconds, and so undoes ours"
)
OTHER_MANAGERS = {
    "rtkit-daemon": "makes threads real-time on request, and ordinary where a processor starves, "
    "perhaps also those that we raised",
    "ananicy": _BY_NAME,
    "ananicy-cpp": _BY_NAME,
    "tuned": "sets policy, priority and affinity of threads by name, by its scheduler plug-in, and "
    "so undoes ours",
    "gamemoded": "sets the nice level of games, and may make them softly real-time: ours stay, but "
    "for a game's",
    "system76-scheduler": "sets nice level and policy of programs, by name and by what has focus, "
    "and so undoes ours",
    "irqbalance": "moves no thread, but interrupts, also onto processors that audio has to itself",
    "uresourced": "gives the control groups of whoever sits at the screen more weight: our nice "
    "levels count only among the threads of one group",
}
"""Programs that reschedule threads, and what each does to those, and to what is set here."""

LOOK_EVERY_S = 5.0
"""Seconds between looks: to go through all processes takes milliseconds."""


def running_managers(root: Path = kernel.ROOT) -> dict[str, str]:
    """Other managers that run now, with what they do."""
    return {name: OTHER_MANAGERS[name] for name in kernel.running(OTHER_MANAGERS, root)}


class ManagerWatch:
    """Says of each manager that it runs, once, also of one that starts later."""

    def __init__(
        self,
        say: Callable[[str], None],
        root: Path = kernel.ROOT,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._root = root
        self._now_s = now_s
        self._due_s = 0.0
        self._known: dict[str, str] = {}

    def warn(self) -> str | None:
        """The managers that run since the last look: an alarm of the loop; None where none does."""
        now_s = self._now_s()
        if now_s < self._due_s:
            return None
        self._due_s = now_s + LOOK_EVERY_S
        before, self._known = self._known, running_managers(self._root)
        told = [
            f"{name} runs too: it {does}"
            for name, does in self._known.items()
            if name not in before
        ]
        for each in told:
            self._say(each)
        return "; ".join(told) or None
