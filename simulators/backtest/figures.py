"""The figures of forecasters: their scores and costs, on one trace or on many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from types import MappingProxyType

import numpy as np
from pydantic import Field

from simulators.backtest.scores import Score
from simulators.figures import Figures


class HorizonFigures(Figures):
    """The steps up to one horizon; None where it cannot be said.

    `mase`, `wql`: less is better. `relative_wql` is a share of the reference's. The coverages
    are how often the load, and its peak, stayed within what was stated.
    """

    mase: float | None = None
    wql: float | None = None
    relative_wql: float | None = None
    coverage_p90: float | None = None
    coverage_p99: float | None = None
    peak_coverage_p90: float | None = None
    peak_coverage_p99: float | None = None


class ModelFigures(HorizonFigures):
    """Figures of a forecaster. Losses are geometric means over the horizons, and over the traces.

    Coverages are those up to the longest horizon, all traces together. `fit_s` is the mean
    wall time of a fit, 0 where nothing is ever fitted; `predict_ms` the median of a forecast;
    `cpu_ms` the processor time of one update and forecast, with its share of the fits. `traces` is
    how many it was scored on; `error` is what went wrong on the first where it failed.
    """

    by_horizon: dict[int, HorizonFigures] = Field(default_factory=dict)
    worst_relative_wql: float | None = None
    worst_trace: str | None = None
    traces: int = 0
    fits: int = 0
    failed_fits: int = 0
    fit_s: float | None = None
    predict_ms: float | None = None
    cpu_ms: float | None = None
    error: str | None = None


class TraceFigures(Figures):
    """All forecasters on one trace."""

    models: dict[str, ModelFigures]
    origins: int
    horizons: tuple[int, ...]
    step_s: float
    readings: int
    gaps: int


class ForecastReport(Figures):
    """All forecasters on all traces; `models` holds the traces together.

    `origins` are the most of any trace, at most the `origins_asked` for.
    """

    models: dict[str, ModelFigures]
    origins: int
    origins_asked: int
    horizons: tuple[int, ...]
    reference: str
    traces: dict[str, TraceFigures]


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall times of fits and forecasts, seconds; `cpu_s` is the processor time of all `updates`."""

    fit_s: tuple[float, ...]
    predict_s: tuple[float, ...]
    cpu_s: float
    updates: int
    failed_fits: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.fit_s + other.fit_s,
            self.predict_s + other.predict_s,
            self.cpu_s + other.cpu_s,
            self.updates + other.updates,
            self.failed_fits + other.failed_fits,
        )

    def figures(self) -> dict[str, float | int]:
        """The cost by the names that figures bear."""
        return {
            "fits": len(self.fit_s),
            "failed_fits": self.failed_fits,
            "fit_s": float(np.mean(self.fit_s)) if self.fit_s else 0.0,
            "predict_ms": 1000.0 * float(np.median(self.predict_s)),
            "cpu_ms": 1000.0 * self.cpu_s / self.updates,
        }


NO_COST = Cost((), (), 0.0, 0)


@dataclass(frozen=True, slots=True)
class Played:
    """A forecaster on a trace: its scores by horizon, or what went wrong."""

    scores: Mapping[int, Score] = field(default_factory=lambda: MappingProxyType({}))
    naive_error: float = 0.0
    cost: Cost = NO_COST
    error: str | None = None

    def mase(self, horizon: int) -> float | None:
        """Mean absolute scaled error up to one horizon."""
        return self.scores[horizon].mase(self.naive_error)


def model_figures(
    played: Mapping[str, Played], reference: Mapping[str, Played], horizons: Sequence[int]
) -> ModelFigures:
    """Figures of a forecaster on all traces named, beside the reference on the same."""
    good = {trace: each for trace, each in played.items() if each.error is None}
    error = next((f"{t}: {each.error}" for t, each in played.items() if each.error), None)
    if not good:
        return ModelFigures(error=error)
    by_horizon = {h: _at(h, good, reference) for h in horizons}
    relatives = {
        trace: value
        for trace in good
        if (value := _geometric([_relative(h, trace, good, reference) for h in horizons]))
        is not None
    }
    worst = max(relatives, key=lambda trace: relatives[trace], default=None)
    cost = reduce(add, (each.cost for each in good.values()))
    return ModelFigures(
        **by_horizon[horizons[-1]].model_dump(exclude={"mase", "wql", "relative_wql"}),
        mase=_geometric([each.mase for each in by_horizon.values()]),
        wql=_geometric([each.wql for each in by_horizon.values()]),
        relative_wql=_geometric([each.relative_wql for each in by_horizon.values()]),
        by_horizon=by_horizon,
        worst_relative_wql=None if worst is None else relatives[worst],
        worst_trace=worst,
        traces=len(good),
        error=error,
        **cost.figures(),
    )


def _at(
    horizon: int, good: Mapping[str, Played], reference: Mapping[str, Played]
) -> HorizonFigures:
    pooled = reduce(add, (each.scores[horizon] for each in good.values()))
    return HorizonFigures(
        mase=_geometric([each.mase(horizon) for each in good.values()]),
        wql=_geometric([each.scores[horizon].wql for each in good.values()]),
        relative_wql=_geometric([_relative(horizon, trace, good, reference) for trace in good]),
        **pooled.coverage(),
    )


def _relative(
    horizon: int, trace: str, good: Mapping[str, Played], reference: Mapping[str, Played]
) -> float | None:
    """Loss as a share of the reference's; None where that has none, or failed."""
    if trace not in reference or reference[trace].error is not None:
        return None
    own, other = good[trace].scores[horizon].wql, reference[trace].scores[horizon].wql
    if own is None or other is None:
        return None
    if other == 0.0:
        return 1.0 if own == 0.0 else None
    return own / other


def _geometric(values: Sequence[float | None]) -> float | None:
    """The geometric mean of what is known."""
    known = np.array([value for value in values if value is not None])
    if not known.size:
        return None
    return float(np.exp(np.log(known).mean())) if known.all() else 0.0
