"""One forecaster on one trace: given the readings as they came, and asked at each origin."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from controller import plugins
from controller.errors import KapellmeisterError
from controller.forecasting.fitting import Fitting, Inline
from controller.forecasting.supervised import make_forecaster
from controller.forecasting.untrusted import no_forecast
from controller.time_box import TimeBox
from policies.forecast import Forecast
from simulators.backtest.figures import Cost, Played
from simulators.backtest.scores import QUANTILES, Score, Stated
from simulators.backtest.series import Series
from simulators.jobs.job import Progress

LONGEST_CALL_S = 30.0
"""Seconds after which a forecaster's call is broken off; a fit on this machine may be slow."""
Floats = NDArray[np.float64]
Made = TypeVar("Made")
Outcome: TypeAlias = tuple[Played, Stated | None]
"""Scores and costs, and what was stated; None in its place for a forecaster that failed."""
ENDED: Outcome = Played(error="it ended the process that it ran in"), None
"""Outcome of a forecaster that ended the process of its job."""


class Peer(Protocol):
    """A forecaster of another library, fitted anew at every origin."""

    name: str

    def fit(self, values: Floats, step_s: float) -> Callable[[int], Floats]:
        """From all values so far, gaps filled: what gives p50, p90 and p99 of so many steps.

        They have shape (3, steps). Raises ValueError where it cannot be used on such a trace.
        """
        ...


@dataclass(slots=True)
class _Stopwatch:
    """The time that one forecaster takes, as it goes."""

    predict_s: list[float] = field(default_factory=list)
    predict_cpu_s: float = 0.0
    fit_s: list[float] = field(default_factory=list)
    updates: int = 0
    failed_fits: int = 0

    def timed(self, predict: Callable[[], Made]) -> Made:
        """A forecast, and what it took."""
        started_s, cpu_s = time.perf_counter(), time.process_time()
        made = predict()
        self.predict_s.append(time.perf_counter() - started_s)
        self.predict_cpu_s += time.process_time() - cpu_s
        return made

    def cost(self, cpu_s: float) -> Cost:
        """The cost of all updates, which took `cpu_s` of processor time with their fits."""
        forecast_s = self.predict_cpu_s / len(self.predict_s)
        per_update_s = forecast_s + (cpu_s - self.predict_cpu_s) / self.updates
        fits, predicts = tuple(self.fit_s), tuple(self.predict_s)
        return Cost(fits, predicts, per_update_s * self.updates, self.updates, self.failed_fits)


@dataclass(frozen=True, slots=True)
class BackTestJob:
    """One forecaster, or the peer of that name, on one trace."""

    model: str
    peer: Peer | None
    series: Series
    origins: tuple[int, ...]
    horizons: tuple[int, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of the forecaster, where it is not installed."""
        path = plugins.file_of(self.model)
        return () if path is None else (path,)

    def play(self, progress: Progress) -> Outcome:
        """Scores and costs; what it stated, where it did not fail."""
        actuals = self.series.actuals(self.origins, self.horizons[-1])
        try:
            stated, cost = self._stated(actuals.known, progress)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a forecaster may fail in any way
            return Played(error=_words(error)), None
        scores = {h: Score.of(actuals, stated, k, h) for k, h in enumerate(self.horizons)}
        return Played(scores, actuals.naive_error, cost), stated

    def _stated(self, known: NDArray[np.bool_], progress: Progress) -> tuple[Stated, Cost]:
        watch, began_s = _Stopwatch(), time.process_time()
        series, origins, horizon = self.series, self.origins, self.horizons[-1]
        if self.peer is None:
            forecasts = list(_on_line(self.model, series, origins, horizon, watch, progress))
            cost = watch.cost(time.process_time() - began_s)
            return Stated.of(forecasts, known, self.horizons), cost
        quantiles = list(_refitted(self.peer, series, origins, horizon, watch, progress))
        cost = watch.cost(time.process_time() - began_s)
        return Stated.of_quantiles(quantiles, self.horizons), cost


class _FailureError(Exception):
    """A forecaster's failure, in words."""


def _words(error: BaseException) -> str:
    told = isinstance(error, _FailureError | KapellmeisterError)
    return str(error) if told else f"raised {error!r}"


def _on_line(
    name: str,
    series: Series,
    origins: Sequence[int],
    horizon: int,
    watch: _Stopwatch,
    progress: Progress,
) -> Iterator[Forecast]:
    """All readings one after the other, fits whenever it asks for them, as in the loop."""
    forecaster = make_forecaster(name)
    runner, horizon_s, asked = Inline(), horizon * series.step_s, set(origins)
    fitting = Fitting(runner)
    with TimeBox(LONGEST_CALL_S) as box:
        for step in range(origins[-1]):
            box.call(forecaster.update, step * series.step_s, series.reading(step))
            if step == 0:
                box.call(forecaster.predict, horizon_s, series.step_s)
            if step + 1 in asked:
                made = watch.timed(lambda: box.call(forecaster.predict, horizon_s, series.step_s))
                yield _checked(made, step + 1, horizon, series.step_s)
                progress(step / origins[-1])
            watch.failed_fits += len(box.call(fitting.tick, forecaster))
    watch.updates, watch.fit_s = origins[-1], runner.spent_s


def _refitted(
    peer: Peer,
    series: Series,
    origins: Sequence[int],
    horizon: int,
    watch: _Stopwatch,
    progress: Progress,
) -> Iterator[Floats]:
    """A peer, which is fitted at each origin to all that came before; its quantiles."""
    for number, origin in enumerate(origins):
        values = _filled(series.values[:origin], series.known[:origin])
        started_s = time.perf_counter()
        quantiles = peer.fit(values, series.step_s)
        watch.fit_s.append(time.perf_counter() - started_s)
        watch.updates += 1
        said = watch.timed(partial(quantiles, horizon))
        if said.shape != (len(QUANTILES), horizon) or not np.isfinite(said).all():
            raise _FailureError(f"returned no quantiles after {origin} readings")
        yield np.maximum(said, 0.0)
        progress((number + 1) / len(origins))


def _filled(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Straight lines across the gaps: what a library is given that knows of none."""
    at = np.arange(values.size, dtype=np.float64)
    return np.asarray(np.interp(at, at[known], values[known]), dtype=np.float64)


def _checked(made: Forecast | None, readings: int, horizon: int, step_s: float) -> Forecast:
    """The forecast, as long as it is one of so many such steps. Raises _FailureError."""
    if made is None:
        raise _FailureError(f"said nothing after {readings} readings")
    wrong = no_forecast(made)
    if wrong is not None:
        raise _FailureError(f"{wrong} after {readings} readings")
    if made.steps < horizon or not math.isclose(made.step_s, step_s):
        found = f"{made.steps} steps of {made.step_s:g} s"
        raise _FailureError(f"forecast {found} where {horizon} of {step_s:g} s were asked for")
    return made
