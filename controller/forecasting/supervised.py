"""A forecaster that is not trusted, and last value in its place for as long as it fails."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from controller import plugins
from controller.forecasting import untrusted
from controller.forecasting.fitting import Fitting, Inline, Runner
from controller.forecasting.forecaster import Forecaster
from controller.forecasting.last_value import KEPT_INCREMENTS, LastValue
from controller.plain_json import JsonValue
from controller.time_box import TimeBox
from policies.forecast import Forecast
from policies.observation import Observation, Reading

P = ParamSpec("P")
T = TypeVar("T")
PATIENCE = 3
"""Failures in a row before it is left alone for a while."""
FIRST_REST, LONGEST_REST = 8, 512
"""Ticks for which it is then not asked: twice as many after each further failure."""


NEEDS = ("name", "update", "predict", "fit_task", "fitted", "saved", "resume")


def make_forecaster(name: str) -> Forecaster:
    """The forecaster of that name. Raises PlugInError where there is none."""
    made: Forecaster = plugins.make("forecasters", name, NEEDS)
    return made


class Supervised:
    """Asks a forecaster tick by tick; where it fails, last value speaks in its place.

    To raise, to return nonsense and to take longer than `longest_s` is to fail. After three
    failures in a row it is left alone, ever longer, and then tried again (a circuit breaker).
    Its fits go to `runner`. With a box, a call that never returns is broken off as well.
    """

    def __init__(
        self,
        forecaster: Forecaster,
        runner: Runner | None = None,
        longest_s: float = math.inf,
        box: TimeBox | None = None,
    ) -> None:
        self._forecaster = forecaster
        self._fitting = Fitting(runner or Inline())
        self._longest_s = longest_s
        self._box = box
        self._recent: deque[tuple[float, Reading]] = deque(maxlen=KEPT_INCREMENTS + 1)
        self._failures = 0
        self._rest = 0

    @property
    def name(self) -> str:
        """The forecaster's name."""
        return self._forecaster.name

    def forecast(
        self, observation: Observation, horizon_s: float, step_s: float
    ) -> tuple[Forecast | None, tuple[str, ...]]:
        """The forecast after one more reading, and an alarm for all that went wrong."""
        self._recent.append((observation.time_s, observation.load))
        if self._rest:
            self._rest -= 1
            return self._last_value(horizon_s, step_s), ()
        started_s = time.perf_counter()
        made, wrong = self._call(
            untrusted.forecast, self._forecaster, observation, horizon_s, step_s
        )
        took_s = time.perf_counter() - started_s
        if wrong is None and took_s > self._longest_s:
            wrong = f"forecaster {self.name} took {took_s:.2g} s"
        if wrong is None:
            fits = self._call(self._fitting.tick, self._forecaster)
            return made, (*self._worked(), *fits)
        return made or self._last_value(horizon_s, step_s), (self._failed(wrong),)

    def saved(self) -> tuple[dict[str, JsonValue], str | None]:
        """The state it learned, by its name; nothing and an alarm where that cannot be kept."""
        learned, alarm = untrusted.saved(self._forecaster)
        return {} if alarm is not None else {self.name: learned}, alarm

    def resume(self, learned: dict[str, JsonValue]) -> str | None:
        """Go on from what it learned earlier, if that was its own; an alarm where it cannot."""
        saved = learned.get(self.name)
        return None if saved is None else untrusted.resume(self._forecaster, saved)

    def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._box is None:
            return function(*args, **kwargs)
        return self._box.call(function, *args, **kwargs)

    def _last_value(self, horizon_s: float, step_s: float) -> Forecast | None:
        """Made from what was seen of late: to keep it at hand all the time would cost more."""
        stand_in = LastValue()
        for time_s, reading in self._recent:
            stand_in.update(time_s, reading)
        return stand_in.predict(horizon_s, step_s)

    def _worked(self) -> tuple[str, ...]:
        failures, self._failures = self._failures, 0
        return (f"forecaster {self.name} works again",) if failures >= PATIENCE else ()

    def _failed(self, wrong: str) -> str:
        self._failures += 1
        if self._failures < PATIENCE:
            return f"{wrong}; last value stands in for it"
        self._rest = min(FIRST_REST * 2 ** (self._failures - PATIENCE), LONGEST_REST)
        return f"{wrong}; last value stands in for it, and it is left alone for {self._rest} ticks"
