"""What NVML tells of the GPU that the executor uses, without ever waiting for it."""

from __future__ import annotations

import math
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
REST_S = 60.0
"""Seconds without a reason after which the clock is said to be lowered by it once more."""


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
        self._longest_s = 0.0
        self._throttled_s: dict[str, float] = {}
        self._events: list[str] = []

    @property
    def pid(self) -> int | None:
        """The process, whose cost belongs to control; None while there is none."""
        return self._link.pid

    def read(self) -> dict[str, Reading]:
        """The latest of each figure: of now, stale by its age, or missing with its reason."""
        lines = self._link.newest()
        self._longest_s = max((line["took_s"] for line in lines), default=0.0)
        for line in lines:
            self._last = line
            self._note(line["throttles"])
        if self._link.pid is None:
            return dict.fromkeys(NAMES, Missing(self._link.error[0]))
        return {name: self._reading(name) for name in NAMES}

    def take_events(self) -> tuple[str, ...]:
        """What has begun to lower the clock, each told once."""
        events, self._events = tuple(self._events), []
        return events

    def suspect(self, missed: int, period_s: float) -> None:
        """Read rarer where blocks were missed beside a reading that took longer than a period."""
        if missed and self._longest_s > period_s:
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
        """Tell of what begins, not of what comes and goes: a clock may change every second."""
        now_s = self._now_s()
        new = [why for why in throttles if now_s - self._throttled_s.get(why, -math.inf) >= REST_S]
        self._throttled_s |= dict.fromkeys(throttles, now_s)
        if new:
            self._events.append(f"the GPU lowers its clock: {', '.join(new)}")
