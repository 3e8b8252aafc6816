"""The figures of `bench vram` in a terminal, each beside its goal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from rich.console import Console

from kapellmeister.bench.goal import at_most, judged
from kapellmeister.bench.vram.figures import FillFigures, LatencyFigures, VramReport
from kapellmeister.bench.vram.subjects import PATIENT, SUBJECTS
from kapellmeister.terminal.tables import goal_table
from kapellmeister.terminal.words import figure

OURS = SUBJECTS[0].name
DEFAULT_BLOCK_BYTES = 1 << 17
REFUSED_AT_MOST = {0.8: 0.0, 0.9: 0.0005}
"""Share of allocations that may be refused with room left, by fill."""
Rows = Iterator[tuple[str, str, str]]


def print_report(report: VramReport, console: Console) -> None:
    """Print every figure beside its goal, and the machine."""
    rows = chain(_fill_rows(report), _time_rows(report), _day_rows(report), _other_rows(report))
    console.print(
        f"{report.arena_bytes / (1 << 30):g} GiB of offsets, {report.allocations:,} allocations, "
        f"{report.seeds} seeds; median (range)"
    )
    console.print(goal_table("figure", rows))
    steal = figure(report.steal_share, ".2%", "unknown")
    console.print(f"\n{report.machine}; steal {steal}")


def _fill_rows(report: VramReport) -> Rows:
    for each in report.fills:
        name = f"{each.allocator}, {each.fill:.0%} full"
        limit = REFUSED_AT_MOST.get(each.fill) if each.allocator == OURS else None
        met = "" if limit is None else _share_at_most(each.refused_share.median, limit)
        yield f"{name}: refused with room left", each.refused_share.words(".4%"), met
        yield f"{name}: moved, GiB", each.moved_gib.words(".2f"), ""
        internal = each.internal_fragmentation.words(".2%")
        goal = each.allocator == OURS
        met = _share_at_most(each.internal_fragmentation.median, 0.03) if goal else ""
        yield f"{name}: internal fragmentation", internal, met


def _time_rows(report: VramReport) -> Rows:
    for each in report.fills:
        yield from _latency_rows(f"{each.allocator}, {each.fill:.0%} full", each)
    yield "processor time of allocate, us", _quantiles(report.cpu_allocate), ""
    yield "processor time of free, us", _quantiles(report.cpu_free), ""


def _latency_rows(name: str, each: FillFigures) -> Rows:
    for call, latency in (("allocate", each.allocate), ("free", each.free)):
        tells = each.allocator == OURS
        yield f"{name}: {call} p50, us", latency.p50_us.words(".1f"), ""
        p99 = at_most(latency.p99_us.median, 10, " us") if tells else ""
        yield f"{name}: {call} p99, us", latency.p99_us.words(".1f"), p99
        p999 = at_most(latency.p999_us.median, 50, " us") if tells else ""
        yield f"{name}: {call} p999, us", latency.p999_us.words(".1f"), p999


def _day_rows(report: VramReport) -> Rows:
    for each in report.days:
        name, ours = f"{each.allocator}, a day", each.allocator == OURS
        yield f"{name}: refused with room left", each.refused_share.words(".4%"), ""
        goal = at_most(each.moved_gib.median, 35, " GiB") if ours else ""
        yield f"{name}: moved, GiB", each.moved_gib.words(".2f"), goal
        if ours:
            yield f"{name}: passes", each.passes.words(",.0f"), ""
            yield f"{name}: time of a pass, ms", each.pass_ms.words(".2f"), ""


def _other_rows(report: VramReport) -> Rows:
    for size, share in report.blocks.items():
        met = _share_at_most(share, 0.03) if size == DEFAULT_BLOCK_BYTES else ""
        yield f"internal fragmentation, blocks of {size >> 10} KiB", f"{share:.2%}", met
    million = report.million_s
    yield "a million operations, s", million.words(".1f"), at_most(million.median, 15, " s")
    for name, refused in report.three_stages.items():
        met = judged("none", not refused) if name == PATIENT.name else ""
        yield f"three stages A-B-A, {name}: refused", str(refused), met


def _share_at_most(share: float, limit: float) -> str:
    return judged(f"<= {limit:.2%}" if limit else "none", share <= limit)


def _quantiles(latency: LatencyFigures) -> str:
    each = (latency.p50_us, latency.p99_us, latency.p999_us, latency.longest_us)
    form = "p50 {:.1f}, p99 {:.1f}, p999 {:.1f}, longest {:.0f}"
    return form.format(*(spread.median for spread in each))
