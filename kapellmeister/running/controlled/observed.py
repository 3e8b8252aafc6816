"""The figures of a run on a plant that keeps none of its own: its observations, summed."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Any

from controller.tick import Tick
from policies.observation import BlockCounts, Counted, fresh


class Observed:
    """An instrument of the loop: adds up what each interval showed of what is `counted`."""

    def __init__(self, counted: Counted = "blocks") -> None:
        self._counted = counted
        self._blocks: BlockCounts | None = None
        self._delays_ms: list[float] = []
        self._started_s: float | None = None
        self._ended_s = 0.0
        self._loads: list[float] = []
        self._seconds: list[tuple[int, int, int]] = []
        self._events: dict[str, None] = {}

    def __call__(self, tick: Tick) -> None:
        """Take in a tick."""
        seen = tick.observation
        if self._started_s is None:
            self._started_s = seen.time_s - seen.interval_s
        self._ended_s = seen.time_s
        self._events |= dict.fromkeys(seen.events)
        load, delay_ms = fresh(seen.load), fresh(seen.get("audio.run_delay_per_wake_ms"))
        self._loads += [] if load is None else [load]
        self._delays_ms += [] if delay_ms is None else [delay_ms]
        if seen.blocks is not None:
            self._blocks = (self._blocks or BlockCounts()) + seen.blocks
            second = int(seen.time_s - self._started_s)
            self._seconds.append((second, seen.blocks.submitted, seen.blocks.missed))

    def summary(self) -> dict[str, Any]:
        """The figures of the run, in the form that the built-in pipeline gives its own."""
        blocks, loads, delays_ms = self._blocks, self._loads, self._delays_ms
        streams = {"peak": round(max(loads)), "mean": sum(loads) / len(loads)} if loads else None
        delay = {"median": median(delays_ms), "max": max(delays_ms)} if delays_ms else None
        return {
            "duration_s": self._ended_s - (self._started_s or self._ended_s),
            "streams": streams,
            "counted": self._counted,
            "blocks": None if blocks is None else {"submitted": blocks.submitted, **asdict(blocks)},
            "miss_rate": None if blocks is None else blocks.miss_rate,
            "latency_ms": None,
            "run_delay_per_wake_ms": delay,
            "recovery_s": None,
            "stress": None,
            "timeline": self._seconds,
            "rounds": {},
            "alarms": list(self._events),
        }
