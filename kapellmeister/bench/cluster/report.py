"""The figures of `bench cluster` in a terminal, ours beside their goals."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kapellmeister.bench.cluster.figures import ClusterReport, PlaneFigures
from kapellmeister.bench.goal import at_most
from kapellmeister.terminal.words import figure


def print_report(report: ClusterReport, console: Console) -> None:
    """A table of all planes, and the machine."""
    table = Table("workers", "a round", "p50, us", "p99, us", "times", "goal", box=None)
    for each in report.planes:
        table.add_row(str(each.workers), each.name, *_times(each), *_goal(each))
    period_ms = 1e3 * report.period_frames / report.sample_rate_hz
    console.print(
        f"{report.streams} streams, blocks of {report.period_frames} out and back, one round every "
        f"{period_ms:.2f} ms, in turn; median (range) of {report.windows} windows of "
        f"{report.rounds} rounds"
    )
    console.print(table)
    steal = figure(report.steal_share, ".2%", "unknown")
    console.print(f"\n{report.machine}; load {report.load:.1f}, steal {steal}")


def _times(each: PlaneFigures) -> tuple[str, str]:
    if each.p50_us is None or each.p99_us is None:
        return escape(f"not measured: {each.remark}"), ""
    return each.p50_us.words(".0f"), each.p99_us.words(".0f")


def _goal(each: PlaneFigures) -> tuple[str, str]:
    against = each.against
    if against is None:
        return "", ""
    ratio = "" if against.ratio is None else against.ratio.words(".2f")
    median = None if against.ratio is None else against.ratio.median
    return ratio, at_most(median, against.goal, f" x {against.other}")
