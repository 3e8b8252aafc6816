"""Commands of a person to a loop that runs."""

from __future__ import annotations

from fakes import Rig, Scripted, action

from controller.commands import Pause, Restore, Resume
from policies.proposal import Verdict


def test_a_pause_holds_until_it_is_resumed_and_says_so():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.commands.waiting = [(7, Pause("nodes"))]
    assert rig.tick().holds[0].reason == "paused until resumed"
    assert rig.commands.answers == {7: "nodes: paused until resumed"}
    rig.commands.waiting = [(8, Resume("nodes"))]
    assert rig.tick().changes[0].action.value == 2


def test_a_pause_for_a_while_ends_by_itself():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.commands.waiting = [(1, Pause(None, until_s=1003.0))]
    assert [len(tick.changes) for tick in rig.ticks(3)] == [0, 0, 1]
    assert rig.commands.answers == {1: "all knobs: paused for 0:00:02 (h:m:s)"}


def test_a_pause_of_a_knob_that_does_not_exist_is_answered_with_those_that_do():
    rig = Rig(Scripted())
    rig.commands.waiting = [(1, Pause("nodse"))]
    rig.tick()
    assert rig.commands.answers == {
        1: "there is no knob nodse; there are: thread_classes, batch_size, nodes"
    }


def test_a_resume_of_one_knob_under_a_pause_of_all_says_that_it_stays_paused():
    rig = Rig(Scripted())
    rig.commands.waiting = [(1, Pause()), (2, Resume("nodes"))]
    rig.tick()
    assert rig.commands.answers[2] == (
        "nodes: all knobs are paused until resumed; `kapellmeister resume` ends that"
    )


def test_restore_puts_back_what_was_found_and_the_policy_does_not_turn_it_again():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.tick()
    rig.commands.waiting = [(1, Restore("nodes"))]
    ticks = rig.ticks(30)
    assert rig.plant.restored == ["nodes"]
    assert rig.plant.values["nodes"] == 1
    assert rig.commands.answers == {1: "nodes: restored, paused until resumed"}
    assert ticks[0].verifications[0].reason == "the knob was restored on request"
    assert all(tick.changes == () for tick in ticks)
    assert {hold.reason for tick in ticks for hold in tick.holds} == {"paused until resumed"}


def test_a_paused_knob_is_not_even_turned_back_by_a_rollback():
    rig = Rig(Scripted(action("nodes", 2, unchanged=0.01)))
    rig.plant.miss_share = lambda values, load: 0.01 if values["nodes"] == 1 else 0.5
    rig.ticks(3)
    rig.commands.waiting = [(1, Pause("nodes"))]
    tick = rig.tick()
    assert tick.verifications[0].verdict is Verdict.FELL_SHORT
    assert "harmful, yet it stays: paused until resumed" in tick.alarms[0]
    assert rig.plant.applied == [("nodes", 2)]
