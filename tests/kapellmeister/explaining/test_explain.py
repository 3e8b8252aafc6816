from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import Rig, Scripted, action
from rich.console import Console

from controller.commands import Pause
from controller.config.config import GuardSection
from controller.errors import JournalError
from controller.journal.command_queue import CommandQueue
from controller.journal.journal import Journal
from controller.journal.state_directory import StateDirectory
from kapellmeister.explaining.explain import describe_turn, explain
from kapellmeister.explaining.explanation import Given, Predicted
from kapellmeister.explaining.explanation_text import print_explanation
from policies.knobs import SchedulingClass, ThreadClass, ThreadClasses
from policies.observation import Missing
from policies.proposal import Verdict


class Weighing(Scripted):
    """A policy that also names what it rejected."""

    def decide(self, context, state):
        proposal, state = super().decide(context, state)
        return replace(proposal, rejected=("period_frames: the last resort",)), state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def play(path: Path, rig: Rig, ticks: int, *, to_the_end: bool = True) -> None:
    with Journal.open(path) as journal:
        journal._now_s = rig.clock.now_s
        journal.start_run("fake", "weighing", "{}")
        for _ in range(ticks):
            tick = rig.tick()
            journal.record(tick, rig.loop.saved)
        if to_the_end:
            journal.end_run("{}")


def growing(**options) -> Rig:
    rig = Rig(Weighing(action("nodes", 2)), **options)
    rig.plant.miss_share = lambda values, load: 0.04 if values["nodes"] == 1 else 0.001
    return rig


def printed(explanation, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_explanation(explanation, console)
    return console.file.getvalue()


def test_a_decision_is_told_with_its_reason_prediction_and_outcome(path):
    play(path, growing(), 5)
    explanation = explain(path)
    (decision,) = explanation.decisions
    assert (decision.knob, decision.turn, decision.reason) == ("nodes", "1 -> 2", "because")
    assert decision.at_s == 1.0
    assert decision.predicted == Predicted(load=10.0, changed=0.0, unchanged=0.05)
    assert decision.rejected == ("period_frames: the last resort",)
    assert decision.outcome is not None
    assert decision.outcome.verdict is Verdict.CONFIRMED
    assert decision.outcome.measured == 0.001
    assert decision.outcome.after_s == 3.0


def test_the_text_holds_what_a_person_asks_for(path):
    play(path, growing(), 5)
    text = printed(explain(path))
    assert "miss rate 0 % with it, 5 % without at 10 streams" in text
    assert "miss rate 0.1 % after 3.0 s" in text
    assert "nodes: confirmed" in text


def test_a_plant_that_counts_no_load_is_told_of_without_one(path):
    rig = growing()
    rig.plant.load = Missing("JACK counts no streams")
    play(path, rig, 5)
    explanation = explain(path)
    outcome = explanation.decisions[0].outcome
    assert (outcome.predicted.load, outcome.measured) == (None, 0.001)
    assert not {"streams", "load"} & set(printed(explanation).replace(";", "").split())


def test_no_line_is_wider_than_the_terminal(path):
    rig = growing()
    rig.policy.wants = (replace(action("nodes", 2), reason="word " * 100),)
    play(path, rig, 5)
    assert max(map(len, printed(explain(path), width=80).splitlines())) <= 80


def test_a_run_that_was_cut_short_is_explained_as_far_as_it_went(path):
    play(path, growing(), 2, to_the_end=False)
    explanation = explain(path)
    assert not explanation.ended
    assert explanation.decisions[0].outcome is None
    assert "not judged" in printed(explanation)


def test_a_run_in_shadow_says_that_nothing_was_applied(path):
    play(path, growing(shadow=True), 3)
    assert "in shadow, not applied" in printed(explain(path))


def test_a_refused_change_says_why(path):
    rig = growing()
    rig.plant.refuses["nodes"] = "no room"
    play(path, rig, 2)
    explanation = explain(path)
    assert explanation.decisions[0].refused == "no room"
    assert "nodes: refused" in printed(explanation)


def test_only_the_last_decisions_are_told_when_asked(path):
    rig = growing(limits=GuardSection(cooldown_s=1))
    with Journal.open(path) as journal:
        journal.start_run("fake", "weighing", "{}")
        for _ in range(5):
            journal.record(rig.tick(), rig.loop.saved)
        rig.policy.wants = (action("nodes", 3, unchanged=0.002),)
        for _ in range(5):
            journal.record(rig.tick(), rig.loop.saved)
    explanation = explain(path, last=1)
    assert [each.turn for each in explanation.decisions] == ["2 -> 3"]
    assert "the last 1 of 2 decisions" in printed(explanation, width=120)


def test_a_hold_that_alarms_is_told_once_and_others_are_counted(path):
    rig = Rig(Weighing(action("batch_size", 32)), limits=GuardSection(hold_alarm_s=3))
    play(path, rig, 8)
    (held,) = explain(path).held
    assert (held.knob, held.alarm, held.seen_for_s) == ("batch_size", True, 7.0)
    text = printed(explain(path))
    assert text.count("batch_size held for 7 s: shrinking has been proposed") == 1


def test_a_run_without_decisions_says_so(path):
    play(path, Rig(Scripted()), 3)
    assert "Nothing was decided" in printed(explain(path))


def test_a_journal_that_does_not_exist_is_one_clear_error(path):
    with pytest.raises(JournalError, match="no journal here yet"):
        explain(path)


def test_of_thread_classes_only_those_that_change_are_told():
    realtime = ThreadClasses(audio=ThreadClass(SchedulingClass.REALTIME, 70))
    assert describe_turn(ThreadClasses(), realtime) == "audio normal -> realtime 70"


def test_commands_and_their_answers_are_told(path):
    rig = growing()
    with Journal.open(path) as journal:
        journal._now_s = rig.clock.now_s
        journal.start_run("fake", "weighing", "{}")
        queue = CommandQueue(journal._database, lambda: rig.clock.now_s() + 0.5)
        number = queue.send(Pause("nodes", shrink_only=True))
        queue.answer(number, "nodes: shrinking is paused until resumed")
        journal.record(rig.tick(), rig.loop.saved)
    explanation = explain(path)
    assert explanation.commands == (
        Given(
            at_s=0.5,
            command="pause --knob nodes --shrink-only",
            answer="nodes: shrinking is paused until resumed",
        ),
    )
    assert "0.5 s  pause --knob nodes --shrink-only: nodes: shrinking is" in printed(explanation)


def test_the_first_line_says_how_the_run_ended(path):
    def heading() -> str:
        return " ".join(printed(explain(path), width=200).splitlines()[0].split())

    play(path, growing(), 2, to_the_end=False)
    assert heading().endswith("2 ticks, 1 decision; cut short without notice")
    with StateDirectory(path.parent).lock():
        assert heading().endswith("still running")
    with Journal.open(path) as journal:
        journal.start_run("fake", "weighing", "{}")
        journal.end_run('{"miss_rate": 0.0125}')
    assert heading().endswith("1.25 % of the blocks missed")
