"""An explanation of a run in a person's words, for a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kapellmeister.explaining.explanation import Decision, Explanation, Outcome, Predicted
from policies.proposal import Verdict

STYLES = {
    Verdict.CONFIRMED: "green",
    Verdict.FELL_SHORT: "yellow",
    Verdict.ROLLED_BACK: "red",
    Verdict.REFUSED: "magenta",
    Verdict.UNDECIDED: "magenta",
}


def print_explanation(explanation: Explanation, console: Console) -> None:
    """Print a stanza for each decision, then the holds and alarms that ask for a person."""
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
