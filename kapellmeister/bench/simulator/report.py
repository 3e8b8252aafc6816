"""The figures of `bench simulator` in a terminal, each beside its goal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from rich.console import Console
from rich.table import Table

from kapellmeister.bench.goal import at_least, at_most, judged, within
from kapellmeister.bench.simulator.figures import LevelFigures, SimulatorReport
from kapellmeister.bench.spread import Spread
from kapellmeister.terminal.tables import goal_table
from kapellmeister.terminal.words import figure

LEVEL_GOALS = (("batch", "block", 0.02, 0.15), ("interval", "batch", 0.05, 0.3))
"""A level, the finer one, and how far its p99 and its miss rate may be off, as shares."""
Rows = Iterator[tuple[str, str, str]]


def print_report(report: SimulatorReport, console: Console) -> None:
    """Print every figure beside its goal, then each comparison of two levels."""
    fast = chain(_kernel_rows(report), _level_rows(report), _day_rows(report))
    true = chain(_learning_rows(report), _twin_rows(report), _sweep_rows(report))
    console.print(goal_table("figure", chain(fast, true)))
    console.print(_levels_table(report))
    console.print(f"\n{report.machine}")


def _kernel_rows(report: SimulatorReport) -> Rows:
    kernel = report.kernel
    yield "event simulation, blocks a second", _spread(kernel.simpy_blocks_per_s, ",.0f"), ""
    yield "exact kernel, blocks a second", _spread(kernel.kernel_blocks_per_s, ",.0f"), ""
    faster = at_least(kernel.ratio.median, 100)
    yield "kernel / event simulation", _spread(kernel.ratio, ".0f"), faster
    yield "the same to the last bit", _yes(kernel.identical), judged("yes", kernel.identical)


def _level_rows(report: SimulatorReport) -> Rows:
    for level, against, p99, miss in LEVEL_GOALS:
        found = [each for each in report.levels if each.level == level]
        worst_p99, worst_miss = _worst(found)
        name = f"{level} against {against} level, worst"
        yield f"{name} p99", f"{worst_p99:+.1%}", within(worst_p99, p99)
        yield f"{name} miss rate", figure(worst_miss, "+.0%"), within(worst_miss, miss)


def _day_rows(report: SimulatorReport) -> Rows:
    for day in report.days:
        name = f"a day, {day.level} level, {day.policy}, s"
        yield name, _spread(day.wall_s, ".2f"), at_most(day.wall_s.median, day.goal_s)


def _learning_rows(report: SimulatorReport) -> Rows:
    learning, steps_per_s = report.learning, report.learning.steps_per_s
    fast = at_least(steps_per_s.median, 100_000)
    yield "plant steps a second", _spread(steps_per_s, ",.0f"), fast
    ppo = figure(learning.ppo_s, ".1f", "stable-baselines3 is not installed")
    yield f"PPO, {learning.ppo_steps:,} steps, s", ppo, at_most(learning.ppo_s, 15)


def _twin_rows(report: SimulatorReport) -> Rows:
    for twin in report.twin:
        name = f"twin, {twin.streams} streams in {twin.batch_size}s"
        yield f"{name}, p99", f"{twin.p99_error:+.1%}", within(twin.p99_error, 0.02)
        if twin.miss_rate_error is not None:
            missed = f"{twin.miss_rate_error:+.0%} of {twin.miss_rate:.3%}"
            yield f"{name}, miss rate", missed, within(twin.miss_rate_error, 0.2)


def _sweep_rows(report: SimulatorReport) -> Rows:
    same = report.same_to_the_byte
    yield "simulated twice, the same to the byte", _yes(same), judged("yes", same)
    for sweep in report.sweep:
        name = f"sweep of {sweep.jobs} runs, {sweep.traces} traces of {sweep.last_days:g} days, min"
        yield name, f"{sweep.wall_s / 60.0:.1f}", at_most(sweep.wall_s / 60.0, sweep.goal_s / 60.0)


def _levels_table(report: SimulatorReport) -> Table:
    heads = ("level", "pipeline", "streams", "batch", "busy", "missed", "p99", "miss rate")
    table = Table(box=None)
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < 2 else "right")
    for each in report.levels:
        table.add_row(
            f"{each.level} / {each.against}",
            each.pipeline,
            str(each.streams),
            str(each.batch_size),
            f"{each.utilisation:.0%}",
            f"{each.miss_rate:.4%}",
            f"{each.p99_error:+.1%}",
            figure(each.miss_rate_error, "+.0%"),
        )
    return table


def _worst(levels: Sequence[LevelFigures]) -> tuple[float, float | None]:
    """The largest errors either way, of p99 and of the miss rate; None where too few missed."""
    p99 = max((each.p99_error for each in levels), key=abs)
    told = [each.miss_rate_error for each in levels if each.miss_rate_error is not None]
    return p99, max(told, key=abs, default=None)


def _spread(spread: Spread, form: str) -> str:
    once = spread.lowest == spread.highest
    return f"{spread.median:{form}}" if once else spread.words(form)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
