"""The ground on which a user lets a knob be turned: what a shadow would have done, and brought."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from controller.errors import JournalError
from controller.journal.reader import JournalReader, Run
from controller.plain import from_plain
from kapellmeister.explaining.explain import describe_turn
from kapellmeister.explaining.hindsight import Glance, Shadow, Standing, keeping, kept
from kapellmeister.figures import StrictFigures
from policies.observation import BlockCounts
from policies.proposal import Verification

TURNS_SHOWN = 5


class Turn(StrictFigures):
    """A change that was wanted, so often, first at that time (seconds since the epoch).

    `wrong` says why it should not have been made, as is known now; None where it was right, or
    where it is not `judged`, since no block was counted while it would have stood. Of a promise
    that is not about misses, `measured` is the mean of what it is to bring down to `promised`.
    """

    turn: str
    reason: str
    wanted: int
    first_at_s: float
    judged: bool
    wrong: str | None
    quantity: str
    unit: str
    measured: float | None
    promised: float


class Spared(StrictFigures):
    """Misses that a knob would have spared: the median, and nine chances in ten around it."""

    low: float
    median: float
    high: float


class KnobShadow(StrictFigures):
    """What one knob would have been turned to, and what that would have brought.

    `trials` counts changes of it that were made here and judged, and `trials_kept` how many of
    those kept what they promised. `missed` blocks were missed while its changes would have
    stood; `curable` of them for a cause that it eases, as far as it promises. `spared` is None
    where nobody counts blocks; `added` are misses that it admits to cost.
    """

    knob: str
    turns: tuple[Turn, ...]
    trials: int
    trials_kept: float
    missed: int
    curable: float
    spared: Spared | None
    added: float


class PlantShadow(StrictFigures):
    """What was watched in shadow of one plant, in so many runs; `blocks` is None if uncounted."""

    plant: str
    policy: str
    target_miss_rate: float
    runs: tuple[int, ...]
    watched_s: float
    blocks: int | None
    missed: int | None
    knobs: tuple[KnobShadow, ...]


class ShadowReport(StrictFigures):
    """What shadows would have done between two times, seconds since the epoch."""

    since_s: float
    until_s: float
    plants: tuple[PlantShadow, ...]


def shadow_report(
    journal: Path, last_s: float, advance: Callable[[float], None] = lambda _: None
) -> ShadowReport:
    """What the last so many seconds show. Raises JournalError where there is no such journal.

    `advance` is told the part that is done. Only ticks in which every knob was in shadow tell:
    where one is turned, the others are not proposed.
    """
    until_s = time.time()
    since_s = until_s - last_s
    with JournalReader(journal) as reader:
        runs = reader.runs()
        shadows: dict[tuple[str, str, float], list[tuple[Run, Shadow]]] = {}
        for run in runs:
            if run.ended_at_s is None or run.ended_at_s >= since_s:
                target = _target(journal, run)
                shadow = Shadow(target)
                for glance in _glances(journal, reader, run, since_s):
                    shadow.see(glance)
                    advance((glance.time_s - since_s) / last_s)
                if shadow.watched_s:
                    key = run.plant, run.policy, target
                    shadows.setdefault(key, []).append((run, shadow))
        plants = tuple(
            _plant(*key, watched, _verifications(journal, reader, runs, key[0]))
            for key, watched in shadows.items()
        )
    return ShadowReport(since_s=since_s, until_s=until_s, plants=plants)


def _target(journal: Path, run: Run) -> float:
    try:
        return float(run.config["objective"]["target_miss_rate"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(journal, run, error) from error


def _glances(journal: Path, reader: JournalReader, run: Run, since_s: float) -> Iterator[Glance]:
    for record in reader.records(run.number, since_s):
        try:
            if record["shadow"]:
                yield Glance.of(record)
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(journal, run, error) from error


def _verifications(
    journal: Path, reader: JournalReader, runs: Iterable[Run], plant: str
) -> tuple[Verification, ...]:
    """All that was ever judged on this plant."""
    found: list[Verification] = []
    for run in runs:
        if run.plant != plant:
            continue
        for record in reader.records(run.number, eventful=True):
            try:
                found += from_plain(record["verifications"], tuple[Verification, ...])
            except (KeyError, TypeError, ValueError) as error:
                raise _unreadable(journal, run, error) from error
    return tuple(found)


def _unreadable(journal: Path, run: Run, error: Exception) -> JournalError:
    why = f"a tick of run {run.number} cannot be read ({error})"
    return JournalError(journal, why, "read it with the version that wrote it")


def _plant(
    plant: str,
    policy: str,
    target_miss_rate: float,
    watched: Sequence[tuple[Run, Shadow]],
    verifications: Sequence[Verification],
) -> PlantShadow:
    shadows = [shadow for _, shadow in watched]
    counted = any(shadow.counted for shadow in shadows)
    blocks = sum((shadow.blocks for shadow in shadows), BlockCounts())
    knobs = {each.change.action.knob: None for shadow in shadows for each in shadow.standings}
    return PlantShadow(
        plant=plant,
        policy=policy,
        target_miss_rate=target_miss_rate,
        runs=tuple(run.number for run, _ in watched),
        watched_s=sum(shadow.watched_s for shadow in shadows),
        blocks=blocks.submitted if counted else None,
        missed=blocks.missed if counted else None,
        knobs=tuple(_knob(knob, shadows, verifications) for knob in knobs),
    )


def _knob(
    knob: str, shadows: Sequence[Shadow], verifications: Sequence[Verification]
) -> KnobShadow:
    of_knob = [
        (shadow, [each for each in shadow.standings if each.change.action.knob == knob])
        for shadow in shadows
    ]
    standings = [each for _, some in of_knob for each in some]
    trials = kept([each for each in verifications if each.knob == knob])
    curable = sum(shadow.spared(some) for shadow, some in of_knob)
    low, median, high = (chance * curable for chance in keeping(trials))
    counted = any(shadow.counted for shadow, some in of_knob if some)
    return KnobShadow(
        knob=knob,
        turns=tuple(map(_turn, standings)),
        trials=len(trials),
        trials_kept=sum(trials),
        missed=sum(each.missed for each in standings),
        curable=curable,
        spared=Spared(low=low, median=median, high=high) if counted else None,
        added=sum(each.added for each in standings),
    )


def _turn(standing: Standing) -> Turn:
    change = standing.change
    return Turn(
        turn=describe_turn(change.previous, change.action.value),
        reason=change.action.reason,
        wanted=standing.wanted,
        first_at_s=standing.first_s,
        judged=standing.submitted > 0,
        wrong=standing.wrong(),
        quantity=standing.effect.quantity,
        unit=standing.effect.unit,
        measured=fmean(standing.quantities) if standing.quantities else None,
        promised=standing.effect.curve[-1].changed,
    )


def print_shadow_report(report: ShadowReport, console: Console) -> None:
    """One stanza a knob, for each plant that was watched."""
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
