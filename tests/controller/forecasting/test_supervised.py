"""A forecaster that fails, and what speaks in its place."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from controller.forecasting.fitting import Fitting, Inline, Outcome
from controller.forecasting.forecaster import FitTask
from controller.forecasting.horizon import horizon
from controller.forecasting.supervised import Supervised
from controller.time_box import TimeBox
from policies.forecast import Forecast
from policies.observation import Observation, Value


class Sevens:
    """Always forecasts seven, unless the turn is one of those that fail."""

    name = "sevens"

    def __init__(self, failing=(), behave=None):
        self.ticks = 0
        self.failing = failing
        self.behave = behave
        self.tasks = []
        self.results = []
        self.remembered = None

    def update(self, time_s, reading):
        self.ticks += 1
        if self.ticks in self.failing:
            (self.behave or self.fail)()

    def fail(self):
        raise ValueError("no idea")

    def predict(self, horizon_s, step_s):
        return Forecast(np.full((2, round(horizon_s / step_s)), 7.0), step_s, 0.0, self.name)

    def fit_task(self):
        return self.tasks.pop(0) if self.tasks else None

    def fitted(self, result):
        self.results.append(result)

    def saved(self):
        return {"ticks": self.ticks}

    def resume(self, saved):
        self.remembered = saved


def ticks(supervised, count):
    """One a second at a load of three: (who spoke, alarms)."""
    said = []
    for second in range(count):
        made, alarms = supervised.forecast(Observation(float(second), 1.0, Value(3.0)), 10.0, 1.0)
        said.append((made.model, *alarms))
    return said


def test_a_forecaster_that_works_speaks_for_itself():
    assert ticks(Supervised(Sevens()), 2) == [("sevens",), ("sevens",)]


def test_where_it_fails_last_value_stands_in_with_all_that_was_seen_before():
    supervised = Supervised(Sevens(failing={2}))
    first, second, third = ticks(supervised, 3)
    words = "forecaster sevens raised ValueError('no idea'); last value stands in for it"
    assert (first, second, third) == (("sevens",), ("last_value", words), ("sevens",))


def test_after_three_failures_in_a_row_it_is_left_alone_and_then_tried_again():
    forecaster = Sevens(failing={1, 2, 3})
    said = ticks(Supervised(forecaster), 13)
    assert said[2][1].endswith("and it is left alone for 8 ticks")
    assert said[3:11] == [("last_value",)] * 8
    assert said[11] == ("sevens", "forecaster sevens works again")
    assert said[12] == ("sevens",)
    assert forecaster.ticks == 5


def test_one_that_fails_again_is_left_alone_for_twice_as_long():
    said = ticks(Supervised(Sevens(failing={1, 2, 3, 4})), 29)
    assert said[11][1].endswith("left alone for 16 ticks")
    assert said[12:28] == [("last_value",)] * 16
    assert said[28][0] == "sevens"


class Shortsighted(Sevens):
    """Looks three steps ahead, however far it is asked to."""

    def predict(self, horizon_s, step_s):
        return super().predict(3 * step_s, step_s)


def test_one_that_looks_less_far_ahead_than_it_was_asked_to_is_not_heard():
    ((speaker, alarm),) = ticks(Supervised(Shortsighted()), 1)
    assert speaker == "last_value"
    assert "looked 3 s ahead where 10 s were asked for" in alarm


def test_one_that_is_slow_is_heard_and_said_to_be_slow():
    (first,) = ticks(Supervised(Sevens(), longest_s=0.0), 1)
    assert first[0] == "sevens"
    assert first[1].startswith("forecaster sevens took ")


def test_one_that_never_returns_is_broken_off():
    def hang():
        while True:
            time.sleep(0.01)

    with TimeBox(0.1) as box:
        said = ticks(Supervised(Sevens(failing={1}, behave=hang), box=box), 2)
    assert "took longer than 0.1 s" in said[0][1]
    assert said[1] == ("sevens",)


def test_what_it_learned_is_kept_under_its_name_and_another_starts_afresh():
    forecaster = Sevens()
    supervised = Supervised(forecaster)
    ticks(supervised, 2)
    learned, alarm = supervised.saved()
    assert (learned, alarm) == ({"sevens": {"ticks": 2}}, None)
    again = Sevens()
    assert Supervised(again).resume(json.loads(json.dumps(learned))) is None
    assert again.remembered == {"ticks": 2}
    other = Sevens()
    assert Supervised(other).resume({"nines": {"ticks": 2}}) is None
    assert other.remembered is None


def task(function, *arguments):
    return FitTask("level", function, arguments)


def refuse(*_):
    raise RuntimeError("singular")


def test_a_fit_that_is_due_is_made_and_its_result_brought_back():
    forecaster = Sevens()
    forecaster.tasks = [task(max, 3, 5)]
    assert Fitting(Inline()).tick(forecaster) == ()
    assert forecaster.results == [5]


class Slow:
    """A runner that ends a task when it is told to."""

    def __init__(self):
        self.started = []
        self.ended = None

    def start(self, task):
        self.started.append(task)

    def outcome(self):
        ended, self.ended = self.ended, None
        return ended


def test_while_a_fit_runs_no_other_is_asked_for():
    forecaster, runner = Sevens(), Slow()
    forecaster.tasks = [task(max, 1, 2), task(max, 3, 4)]
    fitting = Fitting(runner)
    fitting.tick(forecaster)
    fitting.tick(forecaster)
    assert len(runner.started) == 1
    runner.ended = Outcome(runner.started[0], result=2)
    fitting.tick(forecaster)
    assert (forecaster.results, len(runner.started)) == ([2], 2)


def test_a_fit_that_fails_again_and_again_is_tried_ever_more_rarely():
    forecaster = Sevens()
    forecaster.tasks = [task(refuse) for _ in range(20)]
    fitting = Fitting(Inline())
    alarms = [fitting.tick(forecaster) for _ in range(20)]
    failed = [turn for turn, alarm in enumerate(alarms, start=1) if alarm]
    assert failed == [1, 2, 3, 5, 9, 17]
    words = "fit of level raised RuntimeError('singular'); the last good one stays"
    assert alarms[0] == (words,)
    assert alarms[2] == (words + "; of those due only one in 2 is tried",)
    assert alarms[4] == (words + "; of those due only one in 4 is tried",)


def test_a_fit_that_succeeds_is_tried_as_often_as_before():
    forecaster, fitting = Sevens(), Fitting(Inline())
    forecaster.tasks = [*(task(refuse) for _ in range(4)), task(max, 1, 2), *[task(refuse)] * 2]
    alarms = [len(fitting.tick(forecaster)) for _ in range(7)]
    assert alarms == [1, 1, 1, 0, 0, 1, 1]


def test_a_result_that_it_cannot_take_is_an_alarm():
    forecaster = Sevens()
    forecaster.fitted = refuse
    forecaster.tasks = [task(max, 1, 2)]
    (alarm,) = Fitting(Inline()).tick(forecaster)
    assert "could not be taken: raised RuntimeError('singular')" in alarm


@pytest.mark.parametrize(
    ("delays_s", "interval_s", "expected"),
    [
        ({}, 1.0, (60.0, 1.0)),
        ({"batch_size": 2.0, "nodes": 30.0}, 1.0, (60.0, 1.0)),
        ({"batch_size": 2.0, "nodes": 60.0}, 1.0, (120.0, 1.0)),
        ({"nodes": 120.0}, 15.0, (240.0, 15.0)),
        ({"nodes": 1200.0}, 1.0, (2715.29, 4.52548)),
    ],
)
def test_the_load_is_forecast_for_two_delays_of_the_slowest_knob(delays_s, interval_s, expected):
    assert horizon(60.0, delays_s, interval_s) == pytest.approx(expected)


def test_the_horizon_stays_while_a_learned_delay_moves_a_little():
    assert horizon(60.0, {"nodes": 100.0}, 1.0) == horizon(60.0, {"nodes": 115.0}, 1.0)
