"""Every forecaster that ships passes the suite, and the suite finds what is wrong."""

from __future__ import annotations

import time
from functools import partial
from typing import ClassVar

import numpy as np
import pytest

from controller import plugins
from controller.forecasting.checks import CHECKS, ForecasterFault, check, check_all
from controller.forecasting.forecaster import FitTask
from policies.forecast import Forecast
from policies.observation import fresh

IN_FULL = ("ensemble", "kalman", "last_value", "smoothing")
"""The others are ensembles of one member, which the ensemble of all has too."""


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("forecaster", plugins.names("forecasters"))
def test_a_forecaster_that_ships_passes(forecaster, name, monkeypatch):
    if forecaster not in IN_FULL:
        monkeypatch.setattr("controller.forecasting.checks.LONG", 30)
    check(name, partial(plugins.make, "forecasters", forecaster, ()))


class Flat:
    """The last load goes on: the least that passes; each test spoils one thing of it."""

    name = "flat"

    def __init__(self):
        self.load, self.at_s = None, 0.0

    def update(self, time_s, reading):
        self.at_s = time_s
        self.load = self.load if fresh(reading) is None else reading.value

    def predict(self, horizon_s, step_s):
        if self.load is None:
            return None
        return Forecast(
            np.full((2, round(horizon_s / step_s)), self.load), step_s, self.at_s, self.name
        )

    def fit_task(self):
        return None

    def fitted(self, result):
        self.load = result

    def saved(self):
        return [self.load, self.at_s]

    def resume(self, saved):
        self.load, self.at_s = saved


def test_the_least_that_is_a_forecaster_passes():
    check_all(Flat)


class Restless(Flat):
    made = 0

    def __init__(self):
        super().__init__()
        Restless.made += 1
        self.own = Restless.made

    def predict(self, horizon_s, step_s):
        made = super().predict(horizon_s, step_s)
        made.paths[:] += self.own
        return made


class Moody(Flat):
    asked = 0

    def predict(self, horizon_s, step_s):
        self.asked += 1
        made = super().predict(horizon_s, step_s)
        made.paths[:] += self.asked
        return made


class Homebound(Flat):
    def fit_task(self):
        return FitTask("here", lambda: 1.0, ())


class Trusting(Flat):
    def update(self, time_s, reading):
        self.load, self.at_s = reading.value, time_s


class Punctual(Flat):
    def update(self, time_s, reading):
        assert time_s >= self.at_s
        super().update(time_s, reading)


class Sinking(Flat):
    before = 0.0

    def predict(self, horizon_s, step_s):
        made = super().predict(horizon_s, step_s)
        made.paths[:] += self.load - self.before
        self.before = self.load
        return made


class Inventive(Flat):
    def __init__(self):
        super().__init__()
        self.load = 100.0


class Silent(Flat):
    def predict(self, horizon_s, step_s):
        return None


class ShortSighted(Flat):
    def predict(self, horizon_s, step_s):
        return super().predict(min(horizon_s, 60.0), step_s)


class Unasked(Flat):
    def predict(self, horizon_s, step_s):
        return super().predict(horizon_s, 2 * step_s)


class Timeless(Flat):
    def predict(self, horizon_s, step_s):
        self.at_s = 0.0
        return super().predict(horizon_s, step_s)


class Rewriting(Flat):
    paths = None

    def predict(self, horizon_s, step_s):
        if self.paths is None:
            self.paths = np.empty((2, round(horizon_s / step_s)))
        self.paths[:] = self.load
        return Forecast(self.paths, step_s, self.at_s, self.name)


class Gossiping(Flat):
    heard: ClassVar[list[float]] = []

    def update(self, time_s, reading):
        super().update(time_s, reading)
        self.heard.append(self.load)

    def predict(self, horizon_s, step_s):
        self.load = sum(self.heard) / len(self.heard)
        return super().predict(horizon_s, step_s)


class Forgetful(Flat):
    def saved(self):
        return [None, 0.0]

    def update(self, time_s, reading):
        if self.load is None:
            super().update(time_s, reading)
        self.at_s = time_s


class Arrayed(Flat):
    def saved(self):
        return np.zeros(3)


class Waiting(Flat):
    def predict(self, horizon_s, step_s):
        return None

    def fit_task(self):
        return FitTask("nothing", float, (1.0,))


class Insistent(Flat):
    def fit_task(self):
        return FitTask("the same", float, (1.0,))


@pytest.mark.parametrize(
    ("name", "make", "why"),
    [
        ("deterministic", Restless, "forecast 0 differs between two"),
        ("deterministic", Moody, "forecast 0 differs when it is asked for again"),
        ("deterministic", Homebound, "fit of here cannot be pickled"),
        ("total", Trusting, "at Missing.* raised AttributeError"),
        ("total", Punctual, "raised AssertionError"),
        ("bounded", Sinking, "negative or not finite"),
        ("informed", Inventive, "made of nothing but Missing"),
        ("informed", Silent, "nothing is forecast after 150 readings"),
        ("complete", ShortSighted, "looked 60 s ahead where 600 s were asked for"),
        ("complete", Unasked, r"steps of 2\.0 s"),
        ("complete", Timeless, r"made_at_s is 0\.0"),
        ("causal", Rewriting, "changes after it was handed out"),
        ("causal", Gossiping, "depends on what another forecaster has heard"),
        ("resumable", Forgetful, "forecast 10 differs once it was stopped"),
        ("resumable", Arrayed, "cannot go on from its own saved state: TypeError"),
        ("patient", Waiting, "while a fit is under way"),
        ("patient", Insistent, "again and again"),
    ],
)
def test_what_is_wrong_is_found(name, make, why):
    with pytest.raises(ForecasterFault, match=why):
        check(name, make)


class Slow(Flat):
    def predict(self, horizon_s, step_s):
        until_s = time.perf_counter() + 0.06
        while time.perf_counter() < until_s:
            pass
        return super().predict(horizon_s, step_s)


def test_a_slow_forecaster_is_found(monkeypatch):
    monkeypatch.setattr("controller.forecasting.checks.LONG", 3)
    with pytest.raises(ForecasterFault, match="the budget is 50"):
        check("swift", Slow)
