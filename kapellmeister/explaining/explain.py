"""A run explained from its journal: what was decided when, why, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

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
from policies.proposal import Change, Expectation, Verification


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
    """A turn, from what to what; of the classes of work only those that change."""
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
