"""Conformance checks of the forecaster contract, to run on a forecaster of one's own.

    from controller.forecasting.checks import CHECKS, check

    @pytest.mark.parametrize("name", CHECKS)
    def test_mine(name):
        check(name, Mine)

Each check feeds the forecaster a load that rises and falls, reading by reading as the loop does,
and runs the fits that it asks for.
"""

from __future__ import annotations

import json
import math
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from controller.forecasting import untrusted
from controller.forecasting.fitting import Fitting, Inline, Outcome, Runner
from controller.forecasting.forecaster import FitTask, Forecaster
from policies.forecast import Forecast
from policies.observation import Invalid, Missing, Observation, Reading, Stale, Value

MakeForecaster = Callable[[], Forecaster]
STEP_S = 1.0
HORIZON_S = 20.0
LONG = 150
"""Readings after which models that are fitted have been fitted more than once."""
RESUMED_EVERY = 10
"""Readings between two restarts."""
MOST_TASKS = 100
"""Fits that may be due at one time."""
BUDGET_MS = 50.0
"""Time that an update and a forecast may take together, as the median of many, ms."""
TROUBLES: Mapping[str, Reading] = MappingProxyType(
    {
        "missing": Missing("lost on its way"),
        "NaN": Invalid("nan is not a finite number"),
        "stale": Stale(100.0, 600.0),
    }
)
IRREGULAR_S = (1.0, 0.0, 0.01, 7.3, -3600.0, 1.0, 1.0, 1.0) * 4 + (86_400.0, 1.0, 1.0)
"""Seconds from one reading to the next where a clock repeats itself, steps back or leaps a day."""
EXTREMES = (0.0, 0.0, 1e-9, 1e9, 3.0, 0.0, 1e12, 1e12, 5.0)
"""Loads that no pipeline has, and all a forecaster must live through."""


class ForecasterFault(AssertionError):  # noqa: N818 - what a forecaster does wrong
    """A forecaster does not keep to what is asked of every forecaster."""


class Elsewhere(Inline):
    """Runs fits as another process would: what is fitted and by what can be pickled."""

    def start(self, task: FitTask) -> None:
        """Run a copy. Raises ForecasterFault where the task cannot be pickled."""
        try:
            super().start(pickle.loads(pickle.dumps(task)))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ForecasterFault(f"the fit of {task.model} cannot be pickled: {error}") from error


class Never:
    """Takes fits and never brings a result back."""

    def start(self, task: FitTask) -> None:
        """Lose the task."""

    def outcome(self) -> Outcome | None:
        """The outcome of a fit that has not come."""
        return None


@dataclass
class Feed:
    """Readings for one forecaster, whose fits `runner` makes."""

    forecaster: Forecaster
    runner: Runner = field(default_factory=Inline)
    time_s: float = 1000.0

    def __post_init__(self) -> None:
        self._fitting = Fitting(self.runner)

    def hear(
        self, reading: Reading, after_s: float = STEP_S, horizon_s: float = HORIZON_S
    ) -> Forecast | None:
        """The forecast after one more reading; raises ForecasterFault where it is nonsense."""
        self.time_s += after_s
        seen = Observation(self.time_s, STEP_S, reading)
        made, alarm = untrusted.forecast(self.forecaster, seen, horizon_s, STEP_S)
        alarms = self._fitting.tick(self.forecaster) if alarm is None else (alarm,)
        if alarms:
            raise ForecasterFault(f"at {reading}: {'; '.join(alarms)}")
        return made

    def play(self, begin: int, end: int) -> Iterator[Forecast | None]:
        """The forecasts after readings `begin` to `end` of the wave."""
        return (self.hear(_wave(step)) for step in range(begin, end))


def check(name: str, make: MakeForecaster) -> None:
    """Run one check on forecasters that `make` makes.

    Raises ForecasterFault, which says what is wrong.
    """
    CHECKS[name](make)


def check_all(make: MakeForecaster) -> None:
    """Run all checks."""
    for name in CHECKS:
        check(name, make)


def is_deterministic(make: MakeForecaster) -> None:
    """Equal readings give equal paths, asked again, and with fits made elsewhere."""
    feed, twin = Feed(make()), Feed(make(), Elsewhere())
    for step in range(LONG):
        said = [each.hear(_wave(step)) for each in (feed, twin)]
        if not _same(*said):
            raise ForecasterFault(f"forecast {step} differs between two that heard the same")
        if step % RESUMED_EVERY == 0:
            asked = [feed.forecaster.predict(HORIZON_S, STEP_S) for _ in range(2)]
            if not _same(*asked):
                raise ForecasterFault(f"forecast {step} differs when it is asked for again")


def is_total(make: MakeForecaster) -> None:
    """Whatever is missing, stale or NaN, and however time passes, nothing is raised or nonsense."""
    for reading in TROUBLES.values():
        feed = Feed(make())
        for step in range(LONG // 3):
            feed.hear(reading if step < 3 or step % 5 else _wave(step))
        for _ in range(LONG // 3):
            feed.hear(reading)
    feed = Feed(make())
    for step, after_s in enumerate(IRREGULAR_S):
        feed.hear(_wave(step), after_s)


def is_bounded(make: MakeForecaster) -> None:
    """A load is forecast to be finite and not negative, whatever it was."""
    falling = Feed(make())
    for step in range(LONG):
        falling.hear(Value(max(0.0, 50.0 - step)))
    feed = Feed(make())
    for step in range(LONG // 2):
        feed.hear(Value(EXTREMES[step % len(EXTREMES)]))


def is_informed(make: MakeForecaster) -> None:
    """Nothing is said before the first value, and something once the load is known."""
    for reading in TROUBLES.values():
        if Feed(make()).hear(reading) is not None:
            raise ForecasterFault(f"a forecast is made of nothing but {reading}")
    *_, last = Feed(make()).play(0, LONG)
    if last is None:
        raise ForecasterFault(f"nothing is forecast after {LONG} readings")


def is_complete(make: MakeForecaster) -> None:
    """A forecast begins at the last reading, has the step that was asked for, and reaches as far.

    So it is when the horizon grows and shrinks between two readings.
    """
    feed = Feed(make())
    for step in range(LONG // 2):
        made = feed.hear(_wave(step), horizon_s=(20.0, 1.0, 60.0, 600.0)[step // 5 % 4])
        if made is None:
            continue
        if made.made_at_s != feed.time_s:
            raise ForecasterFault(f"made_at_s is {made.made_at_s}, the last reading {feed.time_s}")
        if made.step_s != STEP_S:
            raise ForecasterFault(f"steps of {made.step_s} s, where {STEP_S} s were asked for")


def is_causal(make: MakeForecaster) -> None:
    """Nothing said before changes by what comes later, here or to another of its kind."""
    first = Feed(make())
    *_, said = first.play(0, LONG // 2)
    kept = None if said is None else replace(said, paths=said.paths.copy())
    for _ in first.play(LONG // 2, LONG):
        pass
    if not _same(said, kept):
        raise ForecasterFault("a forecast changes after it was handed out")
    *_, again = Feed(make()).play(0, LONG // 2)
    if not _same(said, again):
        raise ForecasterFault("a forecast depends on what another forecaster has heard")


def is_resumable(make: MakeForecaster) -> None:
    """A saved state survives JSON: a forecaster made anew goes on as one that lives on."""
    living, revived = Feed(make()), Feed(make())
    for step in range(LONG):
        if step % RESUMED_EVERY == 0:
            revived.forecaster = _revived(revived.forecaster, make)
        if not _same(living.hear(_wave(step)), revived.hear(_wave(step))):
            raise ForecasterFault(f"forecast {step} differs once it was stopped and resumed")


def is_patient(make: MakeForecaster) -> None:
    """Fits that never come hold no forecast up, and none is handed out again at once."""
    feed = Feed(make(), Never())
    *_, last = feed.play(0, LONG)
    if last is None:
        raise ForecasterFault("nothing is forecast while a fit is under way")
    due = sum(feed.forecaster.fit_task() is not None for _ in range(MOST_TASKS))
    if due == MOST_TASKS:
        raise ForecasterFault("a fit that was handed out is handed out again and again")


def is_swift(make: MakeForecaster) -> None:
    """An update and a forecast take no longer than their budget, as the median of many."""
    forecaster, took_ms = make(), []
    for step in range(LONG):
        started_s = time.perf_counter()
        forecaster.update(1000.0 + step, _wave(step))
        forecaster.predict(HORIZON_S, STEP_S)
        took_ms.append(1000.0 * (time.perf_counter() - started_s))
    median_ms = sorted(took_ms)[LONG // 2]
    if median_ms > BUDGET_MS:
        raise ForecasterFault(f"a forecast takes {median_ms:.1f} ms, the budget is {BUDGET_MS:g}")


CHECKS: Mapping[str, Callable[[MakeForecaster], None]] = MappingProxyType(
    {
        "deterministic": is_deterministic,
        "total": is_total,
        "bounded": is_bounded,
        "informed": is_informed,
        "complete": is_complete,
        "causal": is_causal,
        "resumable": is_resumable,
        "patient": is_patient,
        "swift": is_swift,
    }
)


def _wave(step: int) -> Value:
    """A load that rises and falls; no randomness, so that a failure comes again."""
    return Value(100.0 + 40.0 * math.sin(step / 20.0) + 7.0 * math.sin(12.9898 * step * step))


def _same(one: Forecast | None, other: Forecast | None) -> bool:
    if one is None or other is None:
        return one is other
    said = [(each.step_s, each.made_at_s, each.model, each.calibrated) for each in (one, other)]
    return said[0] == said[1] and np.array_equal(one.paths, other.paths)


def _revived(forecaster: Forecaster, make: MakeForecaster) -> Forecaster:
    """A forecaster that goes on from what another saved, as the journal keeps it."""
    try:
        kept = json.loads(json.dumps(forecaster.saved(), allow_nan=False))
        anew = make()
        anew.resume(kept)
    except Exception as error:
        raise ForecasterFault(f"it cannot go on from its own saved state: {error!r}") from error
    return anew
