"""`kapellmeister forecast`: forecasters held against what then came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from controller import plugins
from controller.errors import ConfigurationError
from kapellmeister.experiments.compare import find_traces
from kapellmeister.experiments.job_executor import job_executor
from kapellmeister.terminal.progress import Progress, unseen
from kapellmeister.terminal.words import figure
from simulators.backtest.backtest import BackTest, BackTestResult, backtest
from simulators.backtest.figures import ForecastReport, ModelFigures
from simulators.backtest.job import Peer
from simulators.jobs.inline import Inline


@dataclass(frozen=True, slots=True)
class ForecastOptions:
    """A back-test, as `kapellmeister forecast` takes it.

    `traces` are names with commas between; `models` None: all forecasters there are, and with
    `peers` those of another library as well. `horizon` is in samples of the trace. `dask` is the
    address of a Dask scheduler that plays them, or "local"; None: this process does.
    """

    traces: str
    models: Sequence[str] | None = None
    horizon: int = 60
    origins: int = 20
    peers: bool = False
    dask: str | None = None


def forecast(options: ForecastOptions, progress: Progress = unseen) -> BackTestResult:
    """Back-test forecasters on recorded loads: what they said against what then came.

    Raises a KapellmeisterError for everything that the user can mend.
    """
    executor = job_executor(options.dask, Inline())
    test = backtest_of(options)
    with progress(f"{len(test.names)} forecasters, {len(test.traces)} traces") as advance:
        return backtest(test, advance, executor)


def backtest_of(options: ForecastOptions) -> BackTest:
    """The back-test that was asked for; files are read, and names looked up, before it is played.

    Raises ConfigurationError for no name, PlugInError for one that is unknown, TraceError.
    """
    models = options.models
    names = plugins.names("forecasters") if models is None else tuple(dict.fromkeys(models))
    if not names or "" in names:
        raise ConfigurationError("command line", "--models", "names none", "name at least one")
    for name in names:
        plugins.find("forecasters", name)
    found = find_traces(options.traces)
    return BackTest(found, names, _peers(options), options.horizon, options.origins)


def _peers(options: ForecastOptions) -> tuple[Peer, ...]:
    if not options.peers:
        return ()
    from kapellmeister.experiments.forecast_peers import peers

    return peers()


def print_report(report: ForecastReport, console: Console) -> None:
    """Print a line for each forecaster, the best first, and how to read them."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("forecaster", overflow="fold")
    several = len(report.traces) > 1
    for head in _heads(report, several):
        table.add_column(head, justify="right")
    for name, figures in sorted(report.models.items(), key=_loss):
        table.add_row(name, *_row(figures, report, several))
    console.print(table)
    for name, figures in report.models.items():
        if figures.error is not None:
            console.print(f"{name} failed on {figures.error}", highlight=False, markup=False)
    for line in _fewer_origins(report):
        console.print(line, highlight=False, markup=False)
    console.print(_explained(report), style="dim", highlight=False)


def _loss(item: tuple[str, ModelFigures]) -> tuple[bool, float]:
    loss = item[1].relative_wql
    return loss is None, 0.0 if loss is None else loss


def _heads(report: ForecastReport, several: bool) -> list[str]:
    at = [f"at {h}" for h in report.horizons] if len(report.horizons) > 1 else []
    worst = ["worst"] if several else []
    return ["loss", *at, *worst, "p90 %", "p99 %", "peak\np99 %", "fit\ns", "ms"]


def _row(figures: ModelFigures, report: ForecastReport, several: bool) -> list[str]:
    if not figures.traces:
        return ["failed"]
    at = [figures.by_horizon[h].relative_wql for h in report.horizons]
    return [
        figure(figures.relative_wql, ".2f"),
        *((figure(each, ".2f") for each in at) if len(at) > 1 else ()),
        *([figure(figures.worst_relative_wql, ".2f")] if several else []),
        _hundredths(figures.coverage_p90),
        _hundredths(figures.coverage_p99),
        _hundredths(figures.peak_coverage_p99),
        "-" if not figures.fits else figure(figures.fit_s, ".2f"),
        figure(figures.cpu_ms, ".2f"),
    ]


def _fewer_origins(report: ForecastReport) -> list[str]:
    """The traces that leave room for fewer origins than were asked for, all in one line."""
    fewer = [
        f"{name} leaves room for {figures.origins}"
        for name, figures in report.traces.items()
        if figures.origins < report.origins_asked
    ]
    return [f"{report.origins_asked} origins were asked for; {', '.join(fewer)}"] if fewer else []


def _explained(report: ForecastReport) -> str:
    traces = f"{len(report.traces)} traces" if len(report.traces) > 1 else next(iter(report.traces))
    horizons = ", ".join(map(str, report.horizons))
    return (
        f"{traces}, {report.origins} origins, {horizons} steps ahead. loss: weighted quantile "
        f"loss of p50, p90 and p99, as a share of {report.reference}'s; less is better. p90, p99: "
        "how often the load, or its peak, stayed within. ms: one update and forecast."
    )


def _hundredths(share: float | None) -> str:
    return figure(share, ".1%").rstrip("%")
