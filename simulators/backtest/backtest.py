"""Forecasters held against what then came: rolling origins on recorded loads."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from controller import plugins
from controller.errors import KapellmeisterError
from controller.forecasting.fitting import Fitting, Inline
from controller.forecasting.supervised import make_forecaster
from controller.forecasting.untrusted import no_forecast
from controller.load.trace import LoadTrace
from controller.time_box import TimeBox
from policies.forecast import Forecast
from simulators.backtest.figures import (
    Cost,
    ForecastReport,
    ModelFigures,
    Played,
    TraceFigures,
    model_figures,
)
from simulators.backtest.scores import QUANTILES, Score, Stated
from simulators.backtest.series import Series

HORIZONS = (1, 10, 60)
REFERENCE, PEER_REFERENCE = "last_value", "autoarima"
LONGEST_CALL_S = 30.0
"""Seconds after which a forecaster's call is broken off; a fit on this machine may be slow."""
Floats = NDArray[np.float64]
Progress = Callable[[float], None]
Made = TypeVar("Made")


class Peer(Protocol):
    """A forecaster of another library, fitted anew at every origin."""

    name: str

    def fit(self, values: Floats, step_s: float) -> Callable[[int], Floats]:
        """A function for p50, p90 and p99 of so many steps, from all values so far, gaps filled.

        They have shape (3, steps). Raises ValueError where it cannot be used on such a trace.
        """
        ...


@dataclass(frozen=True, slots=True)
class BackTest:
    """Forecasters by name, and peers, to be played on traces at their own sampling interval.

    `horizon` is in steps. Last value is always played, since others are held against it.
    """

    traces: tuple[LoadTrace, ...]
    models: tuple[str, ...]
    peers: tuple[Peer, ...] = ()
    horizon: int = 60
    origins: int = 20

    @property
    def horizons(self) -> tuple[int, ...]:
        """The horizons that are scored: 1, 10 and 60 steps as far as they go, and the longest."""
        return tuple(sorted({each for each in HORIZONS if each < self.horizon} | {self.horizon}))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all that is played."""
        peers = (peer.name for peer in self.peers)
        return tuple(dict.fromkeys((*self.models, REFERENCE, *peers)))


@dataclass(frozen=True, slots=True)
class BackTestResult:
    """The report, and what it comes from: series and forecasts, by trace and model."""

    report: ForecastReport
    series: Mapping[str, Series]
    origins: Mapping[str, tuple[int, ...]]
    stated: Mapping[tuple[str, str], Stated]


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


def backtest(test: BackTest, progress: Progress = lambda _: None) -> BackTestResult:
    """Play every forecaster on every trace.

    One that raises, hangs or returns nonsense is marked with its error, and the rest is
    finished. Raises PlugInError for one that does not exist, and TraceError for a trace that
    is too short.
    """
    for name in test.models:
        plugins.find("forecasters", name)
    series = {trace.name: Series.of(trace) for trace in test.traces}
    origins = {name: each.origins(test.origins, test.horizon) for name, each in series.items()}
    played: dict[str, dict[str, Played]] = {name: {} for name in test.names}
    stated: dict[tuple[str, str], Stated] = {}
    for number, (trace, model) in enumerate((t, m) for t in series for m in test.names):
        part = _PartOfProgress(progress, number, len(series) * len(test.names))
        played[model][trace], said = _play(test, model, series[trace], origins[trace], part)
        if said is not None:
            stated[trace, model] = said
    return BackTestResult(_report(test, series, origins, played), series, origins, stated)


@dataclass(frozen=True, slots=True)
class _PartOfProgress:
    """Progress within one piece of the work, of equal pieces."""

    progress: Progress
    number: int
    pieces: int

    def __call__(self, part: float) -> None:
        self.progress((self.number + part) / self.pieces)


def _play(
    test: BackTest, model: str, series: Series, origins: Sequence[int], progress: Progress
) -> tuple[Played, Stated | None]:
    """Play a forecaster on a trace; what it stated, where it did not fail."""
    watch = _Stopwatch()
    began_s = time.process_time()
    actuals = series.actuals(origins, test.horizon)
    peer = next((peer for peer in test.peers if peer.name == model), None)
    try:
        if peer is None:
            forecasts = list(_on_line(model, series, origins, test.horizon, watch, progress))
            cost = watch.cost(time.process_time() - began_s)
            stated = Stated.of(forecasts, actuals.known, test.horizons)
        else:
            quantiles = list(_refitted(peer, series, origins, test.horizon, watch, progress))
            cost = watch.cost(time.process_time() - began_s)
            stated = Stated.of_quantiles(quantiles, test.horizons)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a forecaster may fail in any way
        return Played(error=_words(error)), None
    scores = {h: Score.of(actuals, stated, k, h) for k, h in enumerate(test.horizons)}
    return Played(scores, actuals.naive_error, cost), stated


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


def _report(
    test: BackTest,
    series: Mapping[str, Series],
    origins: Mapping[str, tuple[int, ...]],
    played: Mapping[str, Mapping[str, Played]],
) -> ForecastReport:
    reference = PEER_REFERENCE if PEER_REFERENCE in played else REFERENCE

    def figures(traces: Sequence[str]) -> dict[str, ModelFigures]:
        return {
            model: model_figures(
                {trace: results[trace] for trace in traces}, played[reference], test.horizons
            )
            for model, results in played.items()
        }

    traces = {
        name: TraceFigures(
            models=figures((name,)),
            origins=len(origins[name]),
            horizons=test.horizons,
            step_s=each.step_s,
            readings=each.values.size,
            gaps=int((~each.known).sum()),
        )
        for name, each in series.items()
    }
    return ForecastReport(
        models=figures(tuple(series)),
        origins=max(len(each) for each in origins.values()),
        origins_asked=test.origins,
        horizons=test.horizons,
        reference=reference,
        traces=traces,
    )
