"""A report on shadow runs: the changes that were wanted, and the misses they would have spared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean

from controller.errors import JournalError
from controller.journal.reader import JournalReader, Run
from controller.plain_json import from_plain
from kapellmeister.explaining.explain import describe_turn
from kapellmeister.explaining.hindsight import (
    Counterfactual,
    Shadow,
    ShadowTick,
    chance_kept,
    shares_kept,
)
from policies.observation import BlockCounts
from policies.proposal import Verification
from simulators.figures import Figures


class Turn(Figures):
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


class Spared(Figures):
    """Misses that a knob would have spared: the median, and nine chances in ten around it."""

    low: float
    median: float
    high: float


class KnobShadow(Figures):
    """A knob in shadow: its turns, and what they would have brought.

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


class PlantShadow(Figures):
    """Watching one plant in shadow, in so many runs; `blocks` is None if uncounted."""

    plant: str
    policy: str
    target_miss_rate: float
    runs: tuple[int, ...]
    watched_s: float
    blocks: int | None
    missed: int | None
    knobs: tuple[KnobShadow, ...]


class ShadowReport(Figures):
    """The shadows between two times, seconds since the epoch."""

    since_s: float
    until_s: float
    plants: tuple[PlantShadow, ...]


def shadow_report(
    journal: Path, last_s: float, advance: Callable[[float], None] = lambda _: None
) -> ShadowReport:
    """Report on the last so many seconds. Raises JournalError where there is no such journal.

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
                for tick in _ticks(journal, reader, run, since_s):
                    shadow.add(tick)
                    advance((tick.time_s - since_s) / last_s)
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


def _ticks(journal: Path, reader: JournalReader, run: Run, since_s: float) -> Iterator[ShadowTick]:
    for record in reader.records(run.number, since_s):
        try:
            if record["shadow"]:
                yield ShadowTick.of(record)
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
    knobs = {each.change.action.knob: None for shadow in shadows for each in shadow.wanted}
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
        (shadow, [each for each in shadow.wanted if each.change.action.knob == knob])
        for shadow in shadows
    ]
    changes = [each for _, some in of_knob for each in some]
    trials = shares_kept([each for each in verifications if each.knob == knob])
    curable = sum(shadow.spared(some) for shadow, some in of_knob)
    low, median, high = (chance * curable for chance in chance_kept(trials))
    counted = any(shadow.counted for shadow, some in of_knob if some)
    return KnobShadow(
        knob=knob,
        turns=tuple(map(_turn, changes)),
        trials=len(trials),
        trials_kept=sum(trials),
        missed=sum(each.missed for each in changes),
        curable=curable,
        spared=Spared(low=low, median=median, high=high) if counted else None,
        added=sum(each.added for each in changes),
    )


def _turn(standing: Counterfactual) -> Turn:
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
