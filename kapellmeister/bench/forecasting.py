"""The cost of a forecast to the control thread, and of its fits beside it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from controller import plugins
from controller.forecasting.supervised import make_forecaster
from controller.load.trace import LoadTrace
from kapellmeister.bench.goal import at_most
from kapellmeister.machine.description import Machine, describe_machine
from policies.observation import Missing, Value
from simulators.figures import Figures
from simulators.loads.generators import generate

Progress = Callable[[float], None]
STEPS_AHEAD = (16, 60)
SAMPLES, MEASURED_FROM = 5000, 3000
"""Samples of the load, and the first that counts: then the forecaster works with all its parts."""
GOAL_MS = 4.0


class HorizonFigures(Figures):
    """Time of one update and one forecast together, and of the fits beside them.

    Quantiles leave out the first samples, which `longest_ms` has in it.
    """

    steps: int
    p50_ms: float
    p99_ms: float
    cpu_p99_ms: float
    longest_ms: float
    fits: int
    longest_fit_s: float
    fit_cpu_ms_per_update: float


class ForecastingReport(Figures):
    """Cost of a forecast of one load, so many steps ahead."""

    machine: Machine
    forecaster: str
    load: str
    horizons: tuple[HorizonFigures, ...]


def bench_forecasting(forecaster: str, progress: Progress) -> ForecastingReport:
    """Time a forecaster on a load with seasons, sampled every minute.

    Raises PlugInError for an unknown one; what it raises itself passes through.
    """
    plugins.find("forecasters", forecaster)
    trace = generate("diurnal")
    horizons = []
    for number, steps in enumerate(STEPS_AHEAD):
        horizons.append(_follow(forecaster, trace, steps))
        progress((number + 1) / len(STEPS_AHEAD))
    return ForecastingReport(
        machine=describe_machine(), forecaster=forecaster, load=trace.name, horizons=tuple(horizons)
    )


def _follow(forecaster: str, trace: LoadTrace, steps: int) -> HorizonFigures:
    made = make_forecaster(forecaster)
    step_s = trace.time_s[1] - trace.time_s[0]
    wall_ms, cpu_ms, fits_s, fit_cpu_s = [], [], [], 0.0
    for time_s, load in zip(trace.time_s[:SAMPLES], trace.streams[:SAMPLES], strict=True):
        reading = Missing("a gap in the trace") if load is None else Value(load)
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        made.update(time_s, reading)
        made.predict(steps * step_s, step_s)
        wall_ms.append(1000.0 * (time.perf_counter() - wall_s))
        cpu_ms.append(1000.0 * (time.thread_time() - cpu_s))
        while (task := made.fit_task()) is not None:
            started_s, fit_cpu_from_s = time.perf_counter(), time.process_time()
            made.fitted(task.run())
            fits_s.append(time.perf_counter() - started_s)
            fit_cpu_s += time.process_time() - fit_cpu_from_s
    settled_ms = wall_ms[MEASURED_FROM:]
    return HorizonFigures(
        steps=steps,
        p50_ms=float(np.median(settled_ms)),
        p99_ms=float(np.quantile(settled_ms, 0.99)),
        cpu_p99_ms=float(np.quantile(cpu_ms[MEASURED_FROM:], 0.99)),
        longest_ms=max(wall_ms),
        fits=len(fits_s),
        longest_fit_s=max(fits_s, default=0.0),
        fit_cpu_ms_per_update=1000.0 * fit_cpu_s / SAMPLES,
    )


def print_report(report: ForecastingReport, console: Console) -> None:
    """Print a row for each figure, its goal beside it."""
    table = Table(title=f"{report.forecaster}: cost of a forecast", title_justify="left", box=None)
    for head in ("figure", *(f"{each.steps} steps ahead" for each in report.horizons), "goal"):
        table.add_column(head, overflow="fold")
    rows: tuple[tuple[str, Callable[[HorizonFigures], str], str], ...] = (
        ("update and forecast, p50, ms", lambda each: f"{each.p50_ms:.2f}", ""),
        (
            "p99, ms",
            lambda each: f"{each.p99_ms:.2f}",
            at_most(max(each.p99_ms for each in report.horizons), GOAL_MS),
        ),
        ("p99 of processor time, ms", lambda each: f"{each.cpu_p99_ms:.2f}", ""),
        ("longest, the first included, ms", lambda each: f"{each.longest_ms:.1f}", ""),
        ("fits, in another process in a run", lambda each: f"{each.fits}", ""),
        ("longest fit, s", lambda each: f"{each.longest_fit_s:.2f}", ""),
        (
            "fits, processor time an update, ms",
            lambda each: f"{each.fit_cpu_ms_per_update:.2f}",
            "",
        ),
    )
    for name, of, goal in rows:
        table.add_row(name, *(of(each) for each in report.horizons), goal)
    console.print(table)
    console.print(f"\n{report.machine}")
