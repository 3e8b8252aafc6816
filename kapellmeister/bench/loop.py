"""Misses with and without the conductor under stress, and the cost of control without stress."""

from __future__ import annotations

import math
import sys

from rich.console import Console
from rich.progress import track
from rich.table import Table

from controller.errors import PlantError
from kapellmeister.bench.goal import at_least, at_most
from kapellmeister.bench.own_process import run_apart
from kapellmeister.bench.spread import Spread
from kapellmeister.machine.description import Machine, describe_machine
from kapellmeister.running.report import RunReport
from kapellmeister.terminal.words import figure, mib, ms, percent
from simulators.figures import Figures

STRESSED = (
    *("--streams", "64"),
    *("--workload", "hrtf"),
    *("--taps", "512"),
    *("--stress", "4"),
    *("--duration", "20"),
)


class LoopReport(Figures):
    """Interleaved pairs under stress, then one quiet run in the default configuration.

    `misses_ratio` is the conductor's pooled miss rate over static's from two seconds after
    the onset of stress; None where static missed nothing. `recovery_s` has one entry a pair,
    None where the sound did not come clean.
    """

    machine: Machine
    pairs: int
    static_miss_rate: Spread
    conductor_miss_rate: Spread
    misses_ratio: float | None
    recovery_s: list[float | None]
    quiet: RunReport
    runs: list[RunReport]


def bench_loop(pairs: int, ticks: int, quiet_s: float) -> LoopReport:
    """Measure: `pairs` of 20 s under stress, then `quiet_s` (at least `ticks` ticks) without."""
    policies = ("static", "conductor") * pairs
    quiet_arguments = ("--stress", "0", "--duration", str(max(quiet_s, ticks + 5.0)))
    jobs = [*(("--policy", policy, *STRESSED) for policy in policies), quiet_arguments]
    shown = track(jobs, "runs", console=Console(stderr=True), disable=not sys.stderr.isatty())
    *runs, quiet = [run_apart("builtin", *arguments) for arguments in shown]
    static = [_stressed_miss_rate(run) for run in runs[0::2]]
    conductor = [_stressed_miss_rate(run) for run in runs[1::2]]
    return LoopReport(
        machine=describe_machine(),
        pairs=pairs,
        static_miss_rate=Spread.of(static),
        conductor_miss_rate=Spread.of(conductor),
        misses_ratio=sum(conductor) / sum(static) if sum(static) else None,
        recovery_s=[run.recovery_s for run in runs[1::2]],
        quiet=quiet,
        runs=runs,
    )


def print_report(report: LoopReport, console: Console) -> None:
    """Figures beside the goals."""
    table = Table("figure", "measured", "goal", box=None)
    quiet, overhead = report.quiet, report.quiet.overhead
    ratio = "static missed nothing" if report.misses_ratio is None else f"{report.misses_ratio:.3f}"
    conductor = report.conductor_miss_rate
    table.add_row("missed, static", report.static_miss_rate.words(".3%"), "")
    table.add_row(
        "missed, conductor",
        conductor.words(".3%"),
        at_most(_percent(conductor.median), 0.5, " %"),
    )
    table.add_row("conductor / static", ratio, at_most(report.misses_ratio, 0.05))
    stolen = [run.steal_share for run in report.runs if run.steal_share is not None]
    if stolen:
        table.add_row("stolen under stress", Spread.of(stolen).words(".3%"), "")
    slowest = max((math.inf if each is None else each for each in report.recovery_s), default=None)
    recoveries = ", ".join(figure(each, ".2f", "never") for each in report.recovery_s)
    table.add_row("recovery, s", recoveries, at_most(slowest, 2.0))
    table.add_row(
        f"missed in {quiet.duration_s:.0f} quiet s",
        f"{percent(quiet.miss_rate)} (steal {percent(quiet.steal_share)})",
        at_most(_percent(quiet.miss_rate), 0.01, " %"),
    )
    table.add_row(
        "processor share of control",
        f"{overhead.cpu_share:.2%}",
        at_most(_percent(overhead.cpu_share), 2.0, " %"),
    )
    ticks_ms = f"{ms(overhead.tick_ms_p50)}, {ms(overhead.tick_ms_p99)}"
    table.add_row("tick p50, p99", ticks_ms, f"p99 {at_most(overhead.tick_ms_p99, 10.0, ' ms')}")
    table.add_row(
        "memory of control", mib(overhead.rss_mib), at_most(overhead.rss_mib, 150.0, " MiB")
    )
    table.add_row("ticks", f"{overhead.ticks}", at_least(overhead.ticks, 600))
    console.print(table)
    console.print(f"\n{report.machine}")


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share


def _stressed_miss_rate(run: RunReport) -> float:
    if run.stress is None or run.stress.miss_rate_after_2s is None:
        raise PlantError("builtin", "the stress did not start", "run it again")
    return run.stress.miss_rate_after_2s
