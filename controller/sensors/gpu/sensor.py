"""What NVML tells of the GPU that the executor uses, without ever waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from controller.sensors.gpu.link import Link, open_link
from controller.sensors.gpu.monitor import RARER
from controller.sensors.gpu.nvml import NAMES
from policies.observation import Missing, Reading, Stale, Value, reading

FRESH_S = 3.0
"""Age, s, up to which a reading is told as one of now."""
NOT_YET = "NVML has told nothing yet"
THROTTLED_NO_MORE = "the GPU lowers its clock no more"


class GpuSensor:
    """Reads one GPU, by its PCI bus id as CUDA tells it or else the first, in its own process.

    The process is started where there is something to read, and again with growing pauses where
    it ends.
    """

    def __init__(
        self,
        pci_bus_id: str | None = None,
        now_s: Callable[[], float] = time.monotonic,
        opened: Callable[[str | None], Link] = open_link,
    ) -> None:
        self._now_s = now_s
        self._link = opened(pci_bus_id)
        self._last: dict[str, Any] = {}
        self._throttles: list[str] = []
        self._events: list[str] = []

    @property
    def pid(self) -> int | None:
        """The process, whose cost belongs to control; None while there is none."""
        return self._link.pid

    def read(self) -> dict[str, Reading]:
        """The latest of each figure: of now, stale by its age, or missing with its reason."""
        for line in self._link.newest():
            self._last = line
            self._note(line["throttles"])
        if self._link.pid is None:
            return dict.fromkeys(NAMES, Missing(self._link.error[0]))
        return {name: self._reading(name) for name in NAMES}

    def take_events(self) -> tuple[str, ...]:
        """What lowers the clock, or that nothing does any more; each told once."""
        events, self._events = tuple(self._events), []
        return events

    def read_rarer(self) -> None:
        """Double the period, since reading has disturbed sound; it shrinks again by and by."""
        self._link.tell(RARER)

    def close(self) -> None:
        """End the process."""
        self._link.close()

    def _reading(self, name: str) -> Reading:
        found = self._last.get("values", {}).get(name)
        if found is None:
            return Missing(self._last.get("missing", {}).get(name, NOT_YET))
        judged, age_s = reading(found, minimum=0.0), self._now_s() - self._last["read_at_s"]
        if isinstance(judged, Value) and age_s > FRESH_S:
            return Stale(judged.value, age_s)
        return judged

    def _note(self, throttles: list[str]) -> None:
        """Tell of a change alone: a clock may be lowered for hours."""
        if throttles == self._throttles:
            return
        self._throttles = throttles
        why = ", ".join(throttles)
        self._events.append(f"the GPU lowers its clock: {why}" if why else THROTTLED_NO_MORE)
