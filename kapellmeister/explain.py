"""What was decided when, why, and what came of it: the journal in a person's words."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from controller.journal_reader import Extent, JournalReader, Run
from controller.tick import Tick
from policies.knobs import KnobValue, ThreadClasses
from policies.observation import fresh
from policies.proposal import Change, Expectation, Verdict, Verification


class Part(BaseModel):
    """A piece of an explanation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Predicted(Part):
    """What the policy's model said at one load (None: unknown), with the change and without."""

    load: float | None
    changed: float
    unchanged: float


class Outcome(Part):
    """What came of a change: the prediction at the load observed then, and what was measured."""

    after_s: float
    verdict: Verdict
    predicted: Predicted
    measured: float | None
    reason: str


class Decision(Part):
    """One knob turned, or in shadow only wanted so; `at_s` counts from the start of the run.

    `quantity` is what was predicted of. `outcome` is None where none was recorded.
    """

    change: str
    at_s: float
    knob: str
    turn: str
    reason: str
    diagnosis: str
    rejected: tuple[str, ...]
    shadow: bool
    refused: str | None
    quantity: str
    unit: str
    load_unit: str
    predicted: Predicted
    outcome: Outcome | None


class Held(Part):
    """A knob that was wanted turned and was not, for how long and whether that was too long."""

    at_s: float
    seen_for_s: float
    knob: str
    reason: str
    alarm: bool


class Alarm(Part):
    """Something a person should look at: when first, and in how many ticks."""

    at_s: float
    text: str
    ticks: int


class Explanation(Part):
    """One run, decision by decision. `ended` is False where it was cut short or goes on."""

    run: int
    plant: str
    policy: str
    started_at_s: float
    ended: bool
    duration_s: float
    ticks: int
    decisions: tuple[Decision, ...]
    decisions_in_all: int
    held: tuple[Held, ...]
    alarms: tuple[Alarm, ...]


def explain(journal: Path, run: int | None = None, last: int | None = None) -> Explanation:
    """Explain a run, the latest unless named; only its `last` decisions, if asked.

    Raises JournalError where there is no such journal or run.
    """
    with JournalReader(journal) as reader:
        chosen = reader.run(run)
        ticks = list(reader.ticks(chosen.number, eventful=True))
        extent = reader.extent(chosen.number)
    start_s = chosen.started_at_s if extent is None else min(chosen.started_at_s, extent.first_s)
    decisions = tuple(_decisions(ticks, start_s))
    return Explanation(
        run=chosen.number,
        plant=chosen.plant,
        policy=chosen.policy,
        started_at_s=start_s,
        ended=chosen.ended_at_s is not None,
        duration_s=_end_s(chosen, extent) - start_s,
        ticks=0 if extent is None else extent.ticks,
        decisions=decisions[-last:] if last is not None else decisions,
        decisions_in_all=len(decisions),
        held=tuple(_held(ticks, start_s)),
        alarms=tuple(_alarms(ticks, start_s)),
    )


def _end_s(run: Run, extent: Extent | None) -> float:
    if run.ended_at_s is not None:
        return run.ended_at_s
    return run.started_at_s if extent is None else extent.last_s


def _decisions(ticks: Iterable[Tick], start_s: float) -> Iterable[Decision]:
    ticks = tuple(ticks)
    judged = {each.change_id: (tick, each) for tick in ticks for each in tick.verifications}
    for tick in ticks:
        for change in tick.changes:
            yield _decision(tick, change, judged.get(change.id), start_s)


def _decision(
    tick: Tick, change: Change, judged: tuple[Tick, Verification] | None, start_s: float
) -> Decision:
    action, effect = change.action, change.action.effect
    load = fresh(tick.observation.load)
    refusals = {each.knob: each.reason for each in tick.refusals}
    return Decision(
        change=change.id,
        at_s=tick.time_s - start_s,
        knob=action.knob,
        turn=describe_turn(change.previous, action.value),
        reason=action.reason,
        diagnosis=tick.diagnosis.summary,
        rejected=tick.proposal.rejected,
        shadow=tick.shadow,
        refused=refusals.get(action.knob),
        quantity=effect.quantity,
        unit=effect.unit,
        load_unit=tick.observation.load_unit,
        predicted=_predicted(effect.at(load), load),
        outcome=None if judged is None else _outcome(*judged, tick.time_s),
    )


def _predicted(expected: Expectation, load: float | None) -> Predicted:
    return Predicted(load=load, changed=expected.changed, unchanged=expected.unchanged)


def _outcome(tick: Tick, verification: Verification, decided_at_s: float) -> Outcome:
    expected = verification.expected
    return Outcome(
        after_s=tick.time_s - decided_at_s,
        verdict=verification.verdict,
        predicted=_predicted(expected, expected.load),
        measured=verification.measured,
        reason=verification.reason,
    )


def describe_turn(before: KnobValue, after: KnobValue) -> str:
    """From what to what; of the classes of work only those that change."""
    if isinstance(before, ThreadClasses) and isinstance(after, ThreadClasses):
        pairs = zip(before.items(), after.items(), strict=True)
        turned = [f"{name} {old} -> {new}" for (name, old), (_, new) in pairs if old != new]
        return "; ".join(turned)
    return f"{before} -> {after}"


def _held(ticks: Iterable[Tick], start_s: float) -> Iterable[Held]:
    """Each hold once, as it last stood."""
    last = {}
    for tick in ticks:
        for hold in tick.holds:
            last[hold.knob, hold.since_s] = hold, tick.time_s - hold.since_s
    for hold, seen_for_s in last.values():
        yield Held(
            at_s=hold.since_s - start_s,
            seen_for_s=seen_for_s,
            knob=hold.knob,
            reason=hold.reason,
            alarm=hold.alarm,
        )


def _alarms(ticks: Iterable[Tick], start_s: float) -> Iterable[Alarm]:
    """Each alarm once; those of holds are told with the holds."""
    seen: dict[str, list[float]] = {}
    for tick in ticks:
        of_holds = tuple(f"{hold.knob} has been held" for hold in tick.holds if hold.alarm)
        for text in tick.alarms:
            if not text.startswith(of_holds):
                seen.setdefault(text, []).append(tick.time_s)
    for text, times_s in seen.items():
        yield Alarm(at_s=times_s[0] - start_s, text=text, ticks=len(times_s))


STYLES = {
    Verdict.CONFIRMED: "green",
    Verdict.FELL_SHORT: "yellow",
    Verdict.ROLLED_BACK: "red",
    Verdict.UNDECIDED: "magenta",
}


def print_explanation(explanation: Explanation, console: Console) -> None:
    """One stanza a decision, then the holds and alarms that ask for a person."""
    console.print(_heading(explanation))
    if not explanation.decisions:
        console.print("Nothing was decided: the policy left every knob as it was.")
    for decision in explanation.decisions:
        console.print()
        console.print(_title(decision))
        console.print(Padding(_stanza(decision), (0, 0, 0, 2)))
    _print_asides(explanation, console)


def _heading(explanation: Explanation) -> Text:
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(explanation.started_at_s))
    shown, in_all = len(explanation.decisions), explanation.decisions_in_all
    count = f"{in_all} decisions" if shown == in_all else f"the last {shown} of {in_all} decisions"
    end = "" if explanation.ended else ", without an end"
    return Text.assemble(
        (f"Run {explanation.run}", "bold"),
        f": {explanation.plant} under {explanation.policy}, {started}, ",
        f"{explanation.duration_s:.0f} s, {explanation.ticks} ticks{end}, {count}",
    )


def _title(decision: Decision) -> Text:
    outcome = decision.outcome
    if decision.refused is not None:
        verdict, style = "refused", "red"
    elif outcome is not None:
        verdict, style = str(outcome.verdict), STYLES[outcome.verdict]
    else:
        verdict, style = ("in shadow, not applied" if decision.shadow else "not judged"), "dim"
    return Text.assemble(
        f"{decision.at_s:.1f} s  ", (decision.knob, "bold"), ": ", (verdict, style)
    )


def _stanza(decision: Decision) -> Table:
    rows = [("turned", decision.turn), ("why", decision.reason)]
    rows += [("diagnosis", decision.diagnosis), ("predicted", _prediction(decision))]
    if decision.refused is not None:
        rows.append(("refused", decision.refused))
    if decision.outcome is not None:
        rows += _measured(decision, decision.outcome)
    rows += [("rejected", each) for each in decision.rejected]
    return _grid(rows)


def _measured(decision: Decision, outcome: Outcome) -> list[tuple[str, str]]:
    after = f"after {outcome.after_s:.1f} s"
    because = [] if outcome.verdict is Verdict.CONFIRMED else [("verdict", outcome.reason)]
    if outcome.measured is None:
        return [("measured", f"nothing {after}"), *because]
    expected, load = outcome.predicted, _at(outcome.predicted, decision.load_unit)
    measured = f"{_name(decision)} {_figure(decision, outcome.measured)} {after}"
    return [
        ("measured", f"{measured}; predicted {_figure(decision, expected.changed)}{load}"),
        *because,
    ]


def _prediction(decision: Decision) -> str:
    expected = decision.predicted
    changed, unchanged = (
        _figure(decision, each) for each in (expected.changed, expected.unchanged)
    )
    load = _at(expected, decision.load_unit)
    return f"{_name(decision)} {changed} with it, {unchanged} without{load}"


def _at(predicted: Predicted, unit: str) -> str:
    return "" if predicted.load is None else f" at {predicted.load:.0f} {unit}"


def _name(decision: Decision) -> str:
    return decision.quantity.removesuffix(f"_{decision.unit}").replace("_", " ")


def _figure(decision: Decision, value: float) -> str:
    if decision.quantity == "miss_rate":
        return f"{100 * value:.3g} %"
    return f"{value:.3g} {decision.unit}".rstrip()


def _print_asides(explanation: Explanation, console: Console) -> None:
    alarming = [each for each in explanation.held if each.alarm]
    asides = [
        (each.at_s, f"{each.knob} held for {each.seen_for_s:.0f} s: {each.reason}")
        for each in alarming
    ]
    asides += [(each.at_s, f"{each.text} ({_ticks(each.ticks)})") for each in explanation.alarms]
    if asides:
        console.print("\nAlarms", style="bold red")
        rows = [(f"{at_s:.1f} s", text) for at_s, text in sorted(asides)]
        console.print(Padding(_grid(rows), (0, 0, 0, 2)))
    others = len(explanation.held) - len(alarming)
    if others:
        console.print(f"\nHeld for a while, without an alarm: {others} (--json lists them)")


def _grid(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, Text(text))
    return table


def _ticks(ticks: int) -> str:
    return "in 1 tick" if ticks == 1 else f"in {ticks} ticks"
