"""The forecaster of this house: many members, scored as they go, its quantiles held to coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from controller.forecasting.ensemble.learner import Learner
from controller.forecasting.forecaster import FitTask
from controller.forecasting.history import Floats
from controller.forecasting.last_value import LastValue
from controller.forecasting.model import Model
from policies.forecast import Forecast
from policies.observation import Reading, fresh
from policies.policy import State

CALIBRATED_FROM = 100
"""Forecasts over the whole horizon, their targets come, from which coverage is checked."""
WAITING = 20_000
"""Readings kept until the first forecast says what it is for."""
UNHEARD_OF = 1e15
"""Multiple of the first load that was not zero, beyond which a load is taken for that much."""
CAUTION = 5.0
"""Share by which the band is wider at first, times one over the number of readings."""


class Ensemble:
    """Scores its members by pinball loss and averages what they say by recent success.

    Readings are averaged into cells of the step that the first forecast asks for; one that
    asks for another step, or looks further ahead, begins anew with what is remembered. While
    the members do not know their errors yet, it is last value with a wide band. A gap is never
    a zero: the forecast goes on from the last known load, ever wider. The same readings and
    fits give the same paths.
    """

    def __init__(
        self, members: Callable[[], Sequence[Model]], name: str = "ensemble", seed: int = 0
    ) -> None:
        self.name = name
        self._members = members
        self._seed = seed
        self._unit = 0.0
        self._now_s = 0.0
        self._seen = 0
        self._waiting: list[tuple[float, float | None]] = []
        self._simple = LastValue(seed)
        self._learner: Learner | None = None

    def update(self, time_s: float, reading: Reading) -> None:
        """Take the load at this time; any reading but a Value is a gap."""
        value = self._in_units(fresh(reading))
        self._now_s = time_s
        self._seen += value is not None
        self._simple.update(time_s, reading)
        if self._learner is not None:
            self._learner.take(time_s, value)
        else:
            self._waiting.append((time_s, value))
            del self._waiting[:-WAITING]

    def predict(self, horizon_s: float, step_s: float) -> Forecast | None:
        """Joint paths of shape (1000, horizon / step); None before the first value."""
        steps = max(1, round(horizon_s / step_s))
        learner = self._at_work(step_s, steps)
        paths = learner.paths()
        if paths is None:
            return self._cautious(horizon_s, step_s)
        loads = np.clip(self._unit * paths[:, :steps], 0.0, np.finfo(float).max)
        calibrated = learner.completed >= CALIBRATED_FROM
        return Forecast(loads, step_s, self._now_s, self.name, calibrated)

    def fit_task(self) -> FitTask | None:
        """The slow part of a member that is due."""
        return None if self._learner is None else self._learner.fit_task()

    def fitted(self, result: Any) -> None:
        """Take the result; it counts from the next cell on."""
        if self._learner is not None:
            self._learner.fitted(result)

    def saved(self) -> State:
        """All that was learned, as plain JSON: up to a megabyte."""
        return {
            "unit": self._unit,
            "now_s": self._now_s,
            "seen": self._seen,
            "waiting": [list(each) for each in self._waiting],
            "simple": self._simple.saved(),
            "learner": None if self._learner is None else self._learner.saved(),
        }

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self._unit, self._now_s, self._seen = saved["unit"], saved["now_s"], saved["seen"]
        self._waiting = [(time_s, value) for time_s, value in saved["waiting"]]
        self._simple.resume(saved["simple"])
        learned = saved["learner"]
        if learned is not None:
            self._learner = self._begun(learned["step_s"], learned["horizon"])
            self._learner.resume(learned)

    def _at_work(self, step_s: float, steps: int) -> Learner:
        """The learner for such forecasts; where there is none, it catches up first."""
        now = self._learner
        if now is not None and now.step_s == step_s and now.horizon >= steps:
            return now
        self._learner = self._begun(step_s, steps)
        self._learner.catch_up(self._waiting if now is None else now.readings(self._now_s))
        self._waiting = []
        return self._learner

    def _begun(self, step_s: float, steps: int) -> Learner:
        return Learner(self._members(), step_s, steps, self._seed)

    def _in_units(self, value: float | None) -> float | None:
        """The load in powers of two of the first one, so that scale changes nothing."""
        if value is None:
            return None
        if not self._unit and value:
            self._unit = 2.0 ** math.frexp(value)[1]
        return min(max(value / (self._unit or 1.0), -UNHEARD_OF), UNHEARD_OF)

    def _cautious(self, horizon_s: float, step_s: float) -> Forecast | None:
        """Last value, its band wider the fewer readings there are."""
        simple = self._simple.predict(horizon_s, step_s)
        if simple is None:
            return None
        middle = np.median(simple.paths, axis=0)
        noise = np.random.default_rng(self._seed).standard_normal(simple.paths.shape)
        walk: Floats = middle * np.cumsum(noise, axis=1) / math.sqrt(simple.steps)
        wider = simple.paths + CAUTION / self._seen * (simple.paths - middle)
        paths = np.maximum(wider + walk / self._seen, 0.0)
        return Forecast(paths, step_s, self._now_s, self.name, calibrated=False)
