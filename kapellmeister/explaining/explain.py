"""What was decided when, why, and what came of it: the journal in a person's words."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from controller.commands import Command, Pause
from controller.journal.reader import Extent, JournalReader, Request, Run
from controller.journal.state_directory import StateDirectory
from controller.tick import Tick
from kapellmeister.explaining.explanation import (
    Alarm,
    Decision,
    Explanation,
    Given,
    Held,
    Outcome,
    Predicted,
)
from policies.knobs import KnobValue, ThreadClasses
from policies.observation import Missing, fresh
from policies.proposal import Change, Expectation, Verdict, Verification


def explain(journal: Path, run: int | None = None, last: int | None = None) -> Explanation:
    """Explain a run, the latest unless named; only its `last` decisions, if asked.

    Raises JournalError where there is no such journal or run.
    """
    with JournalReader(journal) as reader:
        chosen, latest = reader.run(run), reader.run()
        ticks = list(reader.ticks(chosen.number, eventful=True))
        extent = reader.extent(chosen.number)
        requests = reader.commands(chosen.started_at_s, _end_s(chosen, extent))
    start_s = chosen.started_at_s if extent is None else min(chosen.started_at_s, extent.first_s)
    decisions = tuple(_decisions(ticks, start_s))
    return Explanation(
        run=chosen.number,
        plant=chosen.plant,
        policy=chosen.policy,
        started_at_s=start_s,
        ended=chosen.ended_at_s is not None,
        running=_is_running(journal, chosen, latest),
        miss_rate=(chosen.summary or {}).get("miss_rate"),
        duration_s=_end_s(chosen, extent) - start_s,
        ticks=0 if extent is None else extent.ticks,
        decisions=decisions[-last:] if last is not None else decisions,
        decisions_in_all=len(decisions),
        held=tuple(_held(ticks, start_s)),
        commands=tuple(_given(each, start_s) for each in requests),
        alarms=tuple(_alarms(ticks, start_s)),
    )


def _is_running(journal: Path, run: Run, latest: Run) -> bool:
    unended = run.ended_at_s is None and run.number == latest.number
    return unended and StateDirectory(journal.parent).holder() is not None


def _given(request: Request, start_s: float) -> Given:
    return Given(
        at_s=request.sent_at_s - start_s,
        command=describe_command(request.command),
        answer=request.answer,
    )


def describe_command(command: Command) -> str:
    """A command as it is typed."""
    words = [type(command).__name__.lower()]
    words += [] if command.knob is None else [f"--knob {command.knob}"]
    words += ["--shrink-only"] if isinstance(command, Pause) and command.shrink_only else []
    return " ".join(words)


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
    nobody_counts = isinstance(tick.observation.load, Missing)
    return Outcome(
        after_s=tick.time_s - decided_at_s,
        verdict=verification.verdict,
        predicted=_predicted(expected, None if nobody_counts else expected.load),
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
    Verdict.REFUSED: "magenta",
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
    noun = "decision" if in_all == 1 else "decisions"
    count = f"{in_all} {noun}" if shown == in_all else f"the last {shown} of {in_all} {noun}"
    return Text.assemble(
        (f"Run {explanation.run}", "bold"),
        f": {explanation.plant} under {explanation.policy}, {started}, ",
        f"{explanation.duration_s:.0f} s, {explanation.ticks} ticks, {count}; ",
        _outcome_of(explanation),
    )


def _outcome_of(explanation: Explanation) -> str:
    if explanation.running:
        return "still running"
    if not explanation.ended:
        return "cut short without notice"
    if explanation.miss_rate is None:
        return "ended"
    return f"{100 * explanation.miss_rate:.3g} % of the blocks missed"


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
    if not decision.reason.startswith(decision.diagnosis):
        rows.append(("diagnosis", decision.diagnosis))
    rows.append(("predicted", _prediction(decision)))
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
    alarms = [
        (each.at_s, f"{each.knob} held for {each.seen_for_s:.0f} s: {each.reason}")
        for each in alarming
    ]
    alarms += [(each.at_s, f"{each.text} ({_ticks(each.ticks)})") for each in explanation.alarms]
    _print_section("Alarms", alarms, console)
    commands = [
        (each.at_s, f"{each.command}: {each.answer or 'no answer'}")
        for each in explanation.commands
    ]
    _print_section("Commands", commands, console)
    others = len(explanation.held) - len(alarming)
    if others:
        console.print(f"\nHeld for a while, without an alarm: {others} (--json lists them)")


def _print_section(title: str, lines: list[tuple[float, str]], console: Console) -> None:
    if lines:
        console.print(f"\n{title}", style="bold")
        rows = [(f"{at_s:.1f} s", text) for at_s, text in sorted(lines)]
        console.print(Padding(_grid(rows), (0, 0, 0, 2)))


def _grid(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, Text(text))
    return table


def _ticks(ticks: int) -> str:
    return "in 1 tick" if ticks == 1 else f"in {ticks} ticks"
