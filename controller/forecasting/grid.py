"""Readings that come when they come, as a regular series."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from policies.policy import State


@dataclass(slots=True)
class Grid:
    """Averages readings into cells of `step_s` seconds around whole steps from the first one.

    A cell ends as soon as no further reading is to be expected in it, judged by the time
    between the last two. One without a reading is a gap, None. Where the clock steps back,
    time goes on from the last reading as if it had not; where it leaps
    ahead, for no longer than `longest_gap` cells.
    """

    step_s: float
    longest_gap: int = 20_000
    origin_s: float | None = None
    last_s: float = 0.0
    tick_s: float = math.inf
    cell: int = 0
    open: bool = False
    total: float = 0.0
    count: int = 0

    def take(self, time_s: float, value: float | None) -> list[float | None]:
        """The cells that this reading completes, oldest first; None is a reading that is none."""
        self._advance(time_s)
        cell = self._cell_at(time_s)
        ended = self._ended_before(cell)
        if cell == self.cell and self.open and value is not None:
            self.total, self.count = self.total + value, self.count + 1
        if self.open and self._cell_at(time_s + self.tick_s) > cell:
            ended.append(self._close())
        return ended

    def saved(self) -> State:
        """Where it stands."""
        return {**asdict(self), "tick_s": None if math.isinf(self.tick_s) else self.tick_s}

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        for name, value in saved.items():
            setattr(self, name, math.inf if name == "tick_s" and value is None else value)

    def _advance(self, time_s: float) -> None:
        if self.origin_s is None:
            self.origin_s, self.open = time_s, True
        elif time_s > self.last_s:
            self.tick_s = time_s - self.last_s
            self.origin_s += max(0.0, self.tick_s - self.longest_gap * self.step_s)
        elif time_s < self.last_s:
            on_s = self.tick_s if math.isfinite(self.tick_s) else self.step_s
            self.origin_s += time_s - self.last_s - on_s
        self.last_s = time_s

    def _cell_at(self, time_s: float) -> int:
        steps = (time_s - (self.origin_s or 0.0)) / self.step_s
        return math.floor(min(steps + 0.5, self.cell + self.longest_gap))

    def _ended_before(self, cell: int) -> list[float | None]:
        """Close the open cell and those that passed without a reading."""
        if cell <= self.cell:
            return []
        ended = [self._close()] if self.open else []
        skipped = cell - self.cell - 1
        self.cell, self.open = cell, True
        return ended + [None] * skipped

    def _close(self) -> float | None:
        mean = self.total / self.count if self.count else None
        self.total, self.count, self.open = 0.0, 0, False
        return mean
