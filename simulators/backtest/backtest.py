"""Forecasters held against what then came: rolling origins on recorded loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller import plugins
from controller.load.trace import LoadTrace
from simulators.backtest.figures import (
    ForecastReport,
    ModelFigures,
    Played,
    TraceFigures,
    model_figures,
)
from simulators.backtest.job import ENDED, BackTestJob, Outcome, Peer
from simulators.backtest.scores import Stated
from simulators.backtest.series import Series
from simulators.jobs.inline import Inline
from simulators.jobs.job import Ended, JobExecutor, Progress, unseen

HORIZONS = (1, 10, 60)
REFERENCE, PEER_REFERENCE = "last_value", "autoarima"
HERE = Inline()


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

    def peer(self, name: str) -> Peer | None:
        """The peer of that name; None for a forecaster of ours."""
        return next((peer for peer in self.peers if peer.name == name), None)


@dataclass(frozen=True, slots=True)
class BackTestResult:
    """The report, and what it comes from: series and forecasts, by trace and model."""

    report: ForecastReport
    series: Mapping[str, Series]
    origins: Mapping[str, tuple[int, ...]]
    stated: Mapping[tuple[str, str], Stated]


def backtest(
    test: BackTest, progress: Progress = unseen, executor: JobExecutor = HERE
) -> BackTestResult:
    """Have the executor play every forecaster on every trace.

    One that raises, hangs or returns nonsense is marked with its error, and the rest is
    finished. Raises PlugInError for one that does not exist, and TraceError for a trace that
    is too short.
    """
    for name in test.models:
        plugins.find("forecasters", name)
    series = {trace.name: Series.of(trace) for trace in test.traces}
    origins = {name: each.origins(test.origins, test.horizon) for name, each in series.items()}
    jobs = tuple(
        BackTestJob(model, test.peer(model), each, origins[trace], test.horizons)
        for trace, each in series.items()
        for model in test.names
    )
    outcomes: dict[int, Outcome | Ended] = {}
    executor.play(jobs, outcomes.__setitem__, progress)
    played: dict[str, dict[str, Played]] = {name: {} for name in test.names}
    stated: dict[tuple[str, str], Stated] = {}
    for number, job in enumerate(jobs):
        outcome, trace = outcomes[number], job.series.name
        played[job.model][trace], said = ENDED if isinstance(outcome, Ended) else outcome
        if said is not None:
            stated[trace, job.model] = said
    return BackTestResult(_report(test, series, origins, played), series, origins, stated)


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
