"""The course of a simulation, step by step, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.tick import Tick
from policies.observation import BlockCounts, Value
from policies.proposal import Change
from simulators.levels.closed_form import GRID_MS, Law
from simulators.levels.exact import BIN_EDGES_MS, BINS
from simulators.loads.load_path import HOUR_S, Load
from simulators.plant.plant import Truth
from simulators.plant.service import Performance

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Rows = Mapping[str, NDArray[Any]]
"""Equally long columns by name."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A node count that was asked for at a step, and the one it replaced."""

    step: int
    before: int
    after: int


@dataclass(slots=True)
class Timeline:
    """Collects one entry a step; figures are over the scored steps, those after the warm-up.

    `knobs` are those turned at any time: what was turned in the warm-up helps all the way.
    """

    load: Load
    steps: int = 0
    ready: Integers = field(init=False)
    paid: Integers = field(init=False)
    batch_size: Integers = field(init=False)
    on_time: Integers = field(init=False)
    late: Integers = field(init=False)
    lost: Integers = field(init=False)
    p99_ms: Floats = field(init=False)
    bands: Floats = field(init=False)
    knobs: set[str] = field(default_factory=set)
    decisions: int = 0
    turns: list[Turn] = field(default_factory=list)
    alarms: dict[str, int] = field(default_factory=dict)
    periods: dict[Performance, int] = field(default_factory=dict)
    histogram: Integers = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def __post_init__(self) -> None:
        steps = self.load.streams.size
        for name in ("ready", "paid", "batch_size", "on_time", "late", "lost"):
            setattr(self, name, np.zeros(steps, np.int64))
        self.p99_ms = np.full(steps, np.nan)
        self.bands = np.full((steps, 2), np.nan)

    def add(self, truth: Truth, tick: Tick) -> None:
        """Take one step as it was, and the tick that the loop made of it."""
        step = self.steps
        self.steps = step + 1
        self._note(step, truth)
        if tick.forecast is not None:
            self.bands[step] = tick.forecast.peak_p50, tick.forecast.peak_p99
        for alarm in tick.alarms:
            self.alarms[alarm] = self.alarms.get(alarm, 0) + 1
        if tick.changes:
            self._note_changes(step, tick.changes)
        if step >= self.load.warm_up_steps and self.load.known[step]:
            self._note_latencies(truth)

    def _note(self, step: int, truth: Truth) -> None:
        counts = truth.counts
        self.ready[step] = truth.ready
        self.paid[step] = truth.paid
        self.batch_size[step] = truth.batch_size
        self.on_time[step] = counts.on_time
        self.late[step] = counts.late
        self.lost[step] = counts.lost
        p99_ms = truth.performance.latency.p99_ms
        if isinstance(p99_ms, Value):
            self.p99_ms[step] = p99_ms.value

    def _note_changes(self, step: int, changes: Sequence[Change]) -> None:
        self.knobs.update(change.action.knob for change in changes)
        if step < self.load.warm_up_steps:
            return
        for change in changes:
            knob, before, after = change.action.knob, change.previous, change.action.value
            self.decisions += 1
            if knob == "nodes" and isinstance(before, int) and isinstance(after, int):
                self.turns.append(Turn(step, before, after))

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Steps that count: after the warm-up, and not in a gap."""
        return self.load.scored

    def counts(self) -> BlockCounts:
        """The blocks of the scored steps by outcome."""
        scored = self.scored
        on_time, late, lost = (
            int(each[scored].sum()) for each in (self.on_time, self.late, self.lost)
        )
        return BlockCounts(on_time, late, 0, lost)

    def latency_ms(self) -> tuple[float, float, float, float] | None:
        """The 50 %, 95 %, 99 % quantiles and the maximum; None where no block was finished."""
        times_ms, weights = [BIN_EDGES_MS[1:]], [self.histogram.astype(np.float64)]
        for law, blocks in self._laws().items():
            times_ms.append(GRID_MS * np.arange(law.latencies.size, dtype=np.float64))
            weights.append(blocks * law.latencies)
        times, weight = np.concatenate(times_ms), np.concatenate(weights)
        order = np.argsort(times)
        cumulated = np.cumsum(weight[order])
        total = cumulated[-1]
        if total <= 0.0:
            return None
        ranks = np.searchsorted(cumulated, total * np.array([0.5, 0.95, 0.99, 1.0 - 1e-9]))
        p50, p95, p99, most = times[order][ranks]
        return float(p50), float(p95), float(p99), float(most)

    def _note_latencies(self, truth: Truth) -> None:
        performance = truth.performance
        if performance.histogram is not None:
            self.histogram += performance.histogram
        else:  # the same few come again and again
            self.periods[performance] = self.periods.get(performance, 0) + truth.periods

    def _laws(self) -> dict[Law, int]:
        """The blocks that there were under each law."""
        laws: dict[Law, int] = {}
        for performance, periods in self.periods.items():
            for law, blocks in performance.laws:
                laws[law] = laws.get(law, 0) + blocks * periods
        return laws

    def node_hours(self) -> float:
        """Nodes paid for in the scored steps."""
        paid = int(self.paid[self.scored].sum())
        return paid * self.load.step_s / HOUR_S

    def wrong_directions(self, needed: NDArray[np.int64], window: int) -> int:
        """The number of times that nodes were turned away from what the load then asked for.

        `needed` is what each step needs; a turn is held against the most that the `window`
        steps after it need.
        """
        wrong = 0
        for turn in self.turns:
            following = needed[turn.step + 1 : turn.step + 1 + window]
            if following.size:
                peak = int(following.max())
                wrong += abs(turn.after - peak) > abs(turn.before - peak)
        return wrong

    def rows(self) -> Rows:
        """Equally long columns, one entry a step; NaN where a load or a forecast is unknown."""
        missed = self.late + self.lost
        return {
            "time_s": self.load.time_s,
            "load": np.where(self.load.known, self.load.streams.astype(np.float64), np.nan),
            "nodes_ready": self.ready,
            "nodes_paid": self.paid,
            "batch_size": self.batch_size,
            "blocks": self.on_time + missed,
            "missed": missed,
            "p99_ms": self.p99_ms,
            "forecast_p50": self.bands[:, 0],
            "forecast_p99": self.bands[:, 1],
            "scored": self.scored,
        }
