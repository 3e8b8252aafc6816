"""A forecaster at work on one grid: from cells of history to joint paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from controller.forecasting.ensemble.change import Change
from controller.forecasting.ensemble.coverage import Coverage
from controller.forecasting.ensemble.curves import Curves
from controller.forecasting.ensemble.dependence import Dependence, Table
from controller.forecasting.ensemble.mixture import Mixture
from controller.forecasting.ensemble.peaks import Peaks
from controller.forecasting.forecaster import FitTask
from controller.forecasting.grid import Grid
from controller.forecasting.history import Floats, History
from controller.forecasting.model import Model
from policies.policy import State

SAMPLES = 1000
WEEKS_S = 8 * 604_800.0
CELLS = (4_096, 16_384)
"""Cells of history held, at least and at most; between them, eight weeks."""
LEARNED_AT_ONCE = 1_000
"""Cells that are learned from where many come at once; older ones are only remembered."""


class Learner:
    """Members, what they say together, how it covers what comes and how its errors run.

    Everything that happens, happens when a cell is complete.
    """

    def __init__(self, models: Sequence[Model], step_s: float, horizon: int, seed: int) -> None:
        self.step_s, self.horizon = step_s, horizon
        self.history = History(step_s, int(np.clip(WEEKS_S / step_s, *CELLS)))
        self._grid = Grid(step_s)
        self._mixture = Mixture(models, horizon)
        self._coverage = Coverage(horizon)
        self._dependence = Dependence(horizon, SAMPLES, seed)
        self._table = Table.of(SAMPLES)
        self._peaks = Peaks(horizon)
        self._change = Change()
        self._curves: Curves | None = None
        self._paths: Floats | None = None

    @property
    def completed(self) -> int:
        """Forecasts over the whole horizon whose target has come."""
        return self._mixture.completed

    def take(self, time_s: float, value: float | None) -> None:
        """Take a reading, and learn from each cell that it completes."""
        for cell in self._grid.take(time_s, value):
            self._learn(cell)

    def catch_up(self, readings: Sequence[tuple[float, float | None]]) -> None:
        """Take many readings at once."""
        cells = [cell for reading in readings for cell in self._grid.take(*reading)]
        for cell in cells[:-LEARNED_AT_ONCE]:
            self.history.append(cell)
        for cell in cells[-LEARNED_AT_ONCE:]:
            self._learn(cell)

    def readings(self, now_s: float) -> list[tuple[float, float | None]]:
        """The history as readings, the last one at this time."""
        pairs = zip(self.history.filled.tolist(), self.history.known.tolist(), strict=True)
        values = [value if known else None for value, known in pairs] + [None] * self.history.gap
        first_s = now_s - self.step_s * (len(values) - 1)
        return [(first_s + self.step_s * cell, value) for cell, value in enumerate(values)]

    def paths(self) -> Floats | None:
        """Joint paths of shape (SAMPLES, horizon); None while the errors are not known."""
        if self._paths is None:
            self._paths = self._drawn()
        return self._paths

    def fit_task(self) -> FitTask | None:
        """The first member's slow part that is due, its result marked with whose it is."""
        if self.history.gap or not len(self.history):
            return None
        for model in self._mixture.models:
            task = model.fit_task(self.history, self.horizon)
            if task is not None:
                return FitTask(task.model, fit_member, (model.name, task))
        return None

    def fitted(self, result: tuple[str, Any]) -> None:
        """Give a result to whose it is."""
        name, fit = result
        for model in self._mixture.models:
            if model.name == name:
                model.fitted(fit)

    def saved(self) -> State:
        """All that was learned."""
        return {
            "step_s": self.step_s,
            "horizon": self.horizon,
            "grid": self._grid.saved(),
            "history": self.history.saved(),
            "mixture": self._mixture.saved(),
            "calibration": self._coverage.saved(),  # its name in the journals that exist
            "dependence": self._dependence.saved(),
            "peaks": self._peaks.saved(),
            "change": self._change.saved(),
            "curves": None if self._curves is None else self._curves.saved(),
        }

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self._grid.resume(saved["grid"])
        self.history.resume(saved["history"])
        self._mixture.resume(saved["mixture"])
        self._coverage.resume(saved["calibration"])
        self._dependence.resume(saved["dependence"])
        self._peaks.resume(saved["peaks"])
        self._change.resume(saved["change"])
        curves = saved["curves"]
        self._curves = None if curves is None else Curves.resumed(curves)
        self._paths = None

    def _drawn(self) -> Floats | None:
        if self._curves is None:
            return None
        table = self._table.fill(self._curves.quantiles(self.history.gap))
        return self._peaks.corrected(np.take(table, self._dependence.places))

    def _learn(self, value: float | None) -> None:
        """Score what was forecast of this cell, and forecast from it."""
        cell, self._paths = self.history.count + 1, None
        self._peaks.learn(value, cell)
        if value is None:
            self._mixture.skip(cell)
            self._coverage.skip(cell)
            self.history.append(None)
            return
        self._mixture.learn(value, cell)
        completed = self._coverage.learn(value, cell)
        if self._change.seen(self._coverage.surprise):
            self._mixture.doubt(cell)
        if completed is not None:
            self._dependence.add(completed)
        self.history.append(value)
        self._issue(cell)

    def _issue(self, cell: int) -> None:
        """Forecast from the end of the history."""
        issued = self._mixture.issue(self.history)
        if issued is None:
            self._coverage.skip(cell)
            return
        self._curves = self._coverage.issue(issued, cell)
        paths = self.paths() if cell % self._peaks.every == 0 else None
        if paths is not None:
            self._peaks.issue(paths, cell)


def fit_member(name: str, task: FitTask) -> tuple[str, Any]:
    """A member's fit, marked with its name.

    On one thread: matrices so small are slower on several, and sums then come out otherwise.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return name, task.run()
