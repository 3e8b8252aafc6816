"""What happened in a simulation, step by step, and the figures of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.tick import Tick
from policies.observation import BlockCounts, fresh
from simulators.closed_form import GRID_MS, Law
from simulators.kernels import BIN_EDGES_MS, BINS
from simulators.load import Load
from simulators.plant import Truth

Rows = Mapping[str, NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_]]
SECONDS_AN_HOUR = 3600.0


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
    truths: list[Truth] = field(default_factory=list)
    bands: list[tuple[float, float] | None] = field(default_factory=list)
    knobs: set[str] = field(default_factory=set)
    decisions: int = 0
    turns: list[Turn] = field(default_factory=list)
    alarms: dict[str, int] = field(default_factory=dict)
    laws: dict[Law, int] = field(default_factory=dict)
    histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, truth: Truth, tick: Tick) -> None:
        """Take one step as it was, and what the loop made of it."""
        step = len(self.truths)
        self.truths.append(truth)
        seen = tick.forecast
        self.bands.append(None if seen is None else (seen.peak_p50, seen.peak_p99))
        for alarm in tick.alarms:
            self.alarms[alarm] = self.alarms.get(alarm, 0) + 1
        self.knobs.update(change.action.knob for change in tick.changes)
        if step < self.load.warm_up_steps:
            return
        if self.load.known[step]:
            self._note_latencies(truth)
        for change in tick.changes:
            knob, before, after = change.action.knob, change.previous, change.action.value
            self.decisions += 1
            if knob == "nodes" and isinstance(before, int) and isinstance(after, int):
                self.turns.append(Turn(step, before, after))

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Steps that count: after the warm-up, and not in a gap."""
        scored: NDArray[np.bool_] = self.load.known.copy()
        scored[: self.load.warm_up_steps] = False
        return scored

    def counts(self) -> BlockCounts:
        """The blocks of the scored steps by outcome."""
        total = BlockCounts()
        for truth, counts in zip(self.truths, self.scored, strict=True):
            if counts:
                total += truth.counts
        return total

    def latency_ms(self) -> tuple[float, float, float, float] | None:
        """The 50 %, 95 %, 99 % quantiles and the maximum; None where no block was finished."""
        times_ms, weights = [BIN_EDGES_MS[1:]], [self.histogram.astype(np.float64)]
        for law, blocks in self.laws.items():
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
        performance = truth.service.performance
        for law, blocks in performance.laws:
            self.laws[law] = self.laws.get(law, 0) + blocks * truth.periods
        if performance.histogram is not None:
            self.histogram += performance.histogram

    def node_hours(self) -> float:
        """Nodes paid for in the scored steps."""
        paid = np.array([truth.paid for truth in self.truths])
        return float(paid[self.scored].sum()) * self.load.step_s / SECONDS_AN_HOUR

    def wrong_directions(self, needed: NDArray[np.int64], window: int) -> int:
        """How often nodes were turned away from what the load then asked for.

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
        truths, steps = self.truths, len(self.truths)
        p99 = [fresh(t.service.performance.latency.p99_ms) for t in truths]
        band = np.array([each or (np.nan, np.nan) for each in self.bands]).reshape(steps, 2)
        counts = [truth.counts for truth in truths]
        load = self.load.streams[:steps].astype(np.float64)
        return {
            "time_s": self.load.time_s[:steps],
            "load": np.where(self.load.known[:steps], load, np.nan),
            "nodes_ready": np.array([truth.ready for truth in truths], np.int64),
            "nodes_paid": np.array([truth.paid for truth in truths], np.int64),
            "batch_size": np.array([truth.batch_size for truth in truths], np.int64),
            "blocks": np.array([each.submitted for each in counts], np.int64),
            "missed": np.array([each.missed for each in counts], np.int64),
            "p99_ms": np.array(p99, np.float64),
            "forecast_p50": band[:, 0],
            "forecast_p99": band[:, 1],
            "scored": self.scored[:steps],
        }
