"""A report on shadow runs in a person's words, for a terminal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kapellmeister.explaining.shadow_report import KnobShadow, PlantShadow, ShadowReport, Turn

TURNS_SHOWN = 5


def print_shadow_report(report: ShadowReport, console: Console) -> None:
    """Print a stanza for each knob of each plant that was watched."""
    if not report.plants:
        console.print(f"No run was in shadow since {_time(report.since_s)}.")
        return
    for number, plant in enumerate(report.plants):
        if number:
            console.print()
        console.print(_heading(plant, report))
        if not plant.knobs:
            console.print("Nothing would have been done: the policy left every knob as it was.")
        for knob in plant.knobs:
            console.print()
            console.print(Text.assemble((knob.knob, "bold"), f"  (`--act {knob.knob}`)"))
            console.print(Padding(_stanza(knob), (0, 0, 0, 2)))


def _heading(plant: PlantShadow, report: ShadowReport) -> Text:
    runs = f"{len(plant.runs)} run{'' if len(plant.runs) == 1 else 's'}"
    watched = f": {_span(plant.watched_s)} of {plant.policy} in shadow, {runs} since "
    return Text.assemble((plant.plant, "bold"), watched, f"{_time(report.since_s)}; ", _lost(plant))


def _lost(plant: PlantShadow) -> str:
    if plant.blocks is None or plant.missed is None:
        return "nobody counts blocks here"
    share = f"{plant.missed / plant.blocks:.3%}, target {plant.target_miss_rate:.3%}"
    return f"{plant.missed:,} of {plant.blocks:,} blocks missed ({share})"


def _stanza(knob: KnobShadow) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _rows(knob):
        table.add_row(name, Text(text))
    return table


def _rows(knob: KnobShadow) -> Iterable[tuple[str, str]]:
    alike: dict[str, list[Turn]] = {}
    for turn in knob.turns:
        alike.setdefault(turn.turn, []).append(turn)
    for text, turns in [*alike.items()][:TURNS_SHOWN]:
        wanted, first = _times(sum(each.wanted for each in turns)), turns[0]
        yield "would turn", f"{text}, wanted {wanted}, first {_time(first.first_at_s)}"
        yield "why", first.reason
        if first.measured is not None:
            yield "brings", _brings(first)
    if (more := len(alike) - TURNS_SHOWN) > 0:
        yield "would turn", f"{more} other ways (--json lists them)"
    yield "avoided", _avoided(knob)
    if knob.added >= 0.5:
        yield "cost", f"{knob.added:,.0f} more misses, as it says itself, for what it saves"
    yield "tried here", _tried(knob)
    yield "in hindsight", _hindsight(knob)


def _brings(turn: Turn) -> str:
    name = (
        turn.quantity.removesuffix(f"_{turn.unit}")
        .removesuffix("_per_s")
        .replace("_", " ")
        .replace(".", " ")
    )
    return f"{name}: {turn.measured:.3g} {turn.unit} measured, {turn.promised:.3g} promised"


def _avoided(knob: KnobShadow) -> str:
    if knob.spared is None:
        return "not known, for nobody counts blocks here"
    if knob.curable < 0.5:
        others = "had a cause that it does not ease, or that a cheaper knob does"
        return f"no misses: all {knob.missed:,} while it would have stood {others}"
    spared = knob.spared
    between = f"{spared.low:,.0f} to {spared.high:,.0f}"
    of_all = f"of the {knob.missed:,} while it would have stood"
    if not knob.trials:
        return f"{between} misses (nine chances in ten, untested) {of_all}"
    all_of_it = f"{knob.curable:,.0f} had it done all that it promises"
    return f"{spared.median:,.0f} misses ({between}, nine chances in ten) {of_all}; {all_of_it}"


def _tried(knob: KnobShadow) -> str:
    if not knob.trials:
        return "never, so that it may bring anything from nothing to all that it promises"
    what = f"{_times(knob.trials)}, with {knob.trials_kept / knob.trials:.0%} of what was promised"
    return f"{what} (`kapellmeister explain` tells each)"


def _hindsight(knob: KnobShadow) -> str:
    judged = [each for each in knob.turns if each.judged]
    if not judged:
        return "not known: no block was counted while it would have stood"
    turns = f"{len(judged)} change{'' if len(judged) == 1 else 's'}"
    reasons = Counter(each.wrong for each in judged if each.wrong is not None)
    if not reasons:
        return f"none of {turns} wrong"
    why = "; ".join(f"{count} {reason}" for reason, count in reasons.items())
    return f"{reasons.total()} of {turns} wrong: {why}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _time(time_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_s))


def _span(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60.0)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
