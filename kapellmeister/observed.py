"""The figures of a run on a plant that keeps none of its own: its observations, summed."""

from __future__ import annotations

from typing import Any

from controller.tick import Tick
from policies.observation import BlockCounts, fresh


class Observed:
    """An instrument of the loop: adds up what each interval showed."""

    def __init__(self) -> None:
        self._blocks = BlockCounts()
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
        load = fresh(seen.load)
        self._loads += [] if load is None else [load]
        if seen.blocks is not None:
            self._blocks += seen.blocks
            second = int(seen.time_s - self._started_s)
            self._seconds.append((second, seen.blocks.submitted, seen.blocks.missed))

    def summary(self) -> dict[str, Any]:
        """The figures of the run, in the form that the built-in pipeline gives its own."""
        blocks, loads = self._blocks, self._loads
        streams = {"peak": round(max(loads)), "mean": sum(loads) / len(loads)} if loads else None
        counts = {each: getattr(blocks, each) for each in BlockCounts.__dataclass_fields__}
        return {
            "duration_s": self._ended_s - (self._started_s or self._ended_s),
            "streams": streams,
            "blocks": {"submitted": blocks.submitted, **counts},
            "miss_rate": blocks.miss_rate,
            "latency_ms": None,
            "recovery_s": None,
            "stress": None,
            "timeline": self._seconds,
            "rounds": {},
            "alarms": list(self._events),
        }
