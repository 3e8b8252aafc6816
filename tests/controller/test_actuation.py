"""Requests of a fake plant until they are in force, and values that another hand set."""

from __future__ import annotations

from dataclasses import replace

from fakes import AUDIO_ALONE, KNOBS, Rig, Scripted, action

from controller.commands import Resume
from policies.knobs import Bounds, Choice, KnobState, SchedulingClass, ThreadClass, ThreadClasses
from policies.proposal import Verdict


def test_a_knob_goes_from_planned_to_requested_to_observed():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.arrives_after_s = 1.5
    first, second, third = rig.ticks(3)
    assert first.states["nodes"] == KnobState(2, 2, 1, 1001.0)
    assert second.states["nodes"].observed == 1
    assert third.states["nodes"] == KnobState(2, 2, 2, 1001.0)
    assert first.settings["nodes"] == 1
    assert third.settings["nodes"] == 2


def test_a_knob_without_a_reading_counts_as_in_force_where_it_was_requested():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.tick()
    rig.plant.silent_about.add("nodes")
    tick = rig.tick()
    assert tick.settings["nodes"] == 2
    assert tick.states["nodes"].observed is None
    assert [v.verdict for t in rig.ticks(2) for v in t.verifications] == [Verdict.CONFIRMED]


def test_a_request_that_silence_hid_is_awaited_anew_and_no_other_hands() -> None:
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.arrives_after_s = 1e9
    rig.tick()
    rig.plant.silent_about.add("nodes")
    rig.ticks(60)
    rig.plant.silent_about.clear()
    (awaited,) = rig.ticks(1)
    rig.plant.values["nodes"] = 2
    ticks = [awaited, *rig.ticks(3)]
    assert [tick.settings["nodes"] for tick in ticks] == [1, 2, 2, 2]
    assert [tick.alarms for tick in ticks] == [()] * 4
    assert [hold.reason for tick in ticks for hold in tick.holds if "hand" in hold.reason] == []
    assert ticks[-1].states["nodes"].requested == 2


def test_a_request_that_never_comes_after_a_silence_expires_as_any_other() -> None:
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.arrives_after_s = 1e9
    rig.tick()
    rig.policy.wants = ()
    rig.plant.silent_about.add("nodes")
    rig.ticks(60)
    rig.plant.silent_about.clear()
    alarms = [text for tick in rig.ticks(60) for text in tick.alarms]
    assert len(alarms) == 1
    assert "did not come into force; it is 1" in alarms[0]


def test_a_knob_that_comes_while_the_plant_runs_can_be_turned():
    rig = Rig(Scripted())
    rig.plant.knobs_here = {}
    assert rig.tick().states == {}
    rig.plant.knobs_here = dict(KNOBS)
    rig.policy.wants = (action("nodes", 2),)
    assert rig.tick().changes[0].action.knob == "nodes"


def test_a_value_that_another_hand_set_is_held_and_never_overwritten_until_resumed():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.ticks(5)
    rig.plant.values["nodes"] = 4
    rig.policy.wants = (action("nodes", 3),)
    ticks = rig.ticks(70)
    assert all(tick.changes == () for tick in ticks)
    assert "another hand set it to 4 where 2 was asked for" in ticks[0].holds[0].reason
    assert [hold.alarm for hold in (ticks[60].holds[0], ticks[61].holds[0])] == [False, True]
    assert "nodes has been held for 61 s" in ticks[61].alarms[0]
    rig.commands.waiting = [(1, Resume("nodes"))]
    tick = rig.tick()
    assert rig.commands.answers == {1: "nodes: resumed"}
    assert tick.states["nodes"].requested is None
    assert tick.holds[0].reason.startswith("shrinking has been proposed")
    assert rig.plant.values["nodes"] == 4


def test_what_our_own_watchdog_put_back_is_no_other_hands():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.ticks(5)
    rig.plant.values["nodes"] = 1
    rig.plant.knobs_here["nodes"] = replace(KNOBS["nodes"], undone="processor 3 starved")
    assert rig.tick().holds[0].reason == (
        "our own watchdog set it to 1 where 2 was asked for: processor 3 starved; "
        "`kapellmeister resume --knob nodes` accepts that"
    )


def test_what_another_hand_did_is_told_of_the_classes_of_work_that_the_plant_has():
    raised = ThreadClasses(audio=ThreadClass(SchedulingClass.REALTIME, 60))
    rig = Rig(Scripted(action("thread_classes", raised)))
    rig.plant.knobs_here["thread_classes"] = AUDIO_ALONE
    rig.ticks(5)
    rig.plant.values["thread_classes"] = ThreadClasses()
    assert (
        rig.tick()
        .holds[0]
        .reason.startswith(
            "another hand set it to audio normal where audio realtime 60 was asked for;"
        )
    )


def test_what_the_plant_put_back_itself_can_be_turned_again_without_a_person():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.ticks(2)
    rig.plant.values["nodes"] = 1
    rig.plant.knobs_here["nodes"] = replace(KNOBS["nodes"], lapsed="the lease ran out")
    ticks = rig.ticks(60)
    assert ticks[0].alarms == ("nodes: the lease ran out",)
    assert [each.verdict for each in ticks[0].verifications] == [Verdict.UNDECIDED]
    assert not any("another hand" in hold.reason for tick in ticks for hold in tick.holds)
    assert rig.plant.applied == [("nodes", 2), ("nodes", 2)]


def test_another_hand_during_an_evaluation_leaves_it_undecided_and_rolls_nothing_back():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.miss_share = lambda values, load: 0.9
    rig.ticks(2)
    rig.plant.values["nodes"] = 4
    tick = rig.tick()
    assert tick.verifications[0].verdict is Verdict.UNDECIDED
    assert rig.plant.applied == [("nodes", 2)]


def test_a_request_that_never_came_into_force_is_no_drift_and_is_tried_again_after_a_rest():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.arrives_after_s = 1e9
    ticks = rig.ticks(47)
    ended = [v for tick in ticks for v in tick.verifications]
    assert [v.verdict for v in ended] == [Verdict.UNDECIDED]
    assert ended[0].reason == "still not in force after 16.0 s"
    assert [alarm for tick in ticks for alarm in tick.alarms] == [
        "nodes: 2 was asked for 16 s ago and did not come into force; it is 1"
    ]
    assert ticks[17].holds[0].reason == (
        "rests another 29.0 s after a request that did not come into force"
    )
    assert [tick.number for tick in ticks if tick.changes] == [1, 47]


def test_what_comes_into_force_after_all_is_no_other_hands():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.arrives_after_s = 25.5
    ticks = rig.ticks(60)
    assert ticks[-1].settings["nodes"] == 2
    assert all(tick.holds == () for tick in ticks[30:])
    assert rig.plant.applied == [("nodes", 2)]


def test_a_rollback_that_never_came_into_force_raises_an_alarm_as_well():
    rig = Rig(Scripted(action("nodes", 2, unchanged=0.01)))
    rig.plant.miss_share = lambda values, load: 0.01 if values["nodes"] == 1 else 0.5
    rig.ticks(3)
    rig.plant.arrives_after_s = 1e9
    alarms = [alarm for tick in rig.ticks(20) for alarm in tick.alarms]
    assert alarms == ["nodes: 1 was asked for 16 s ago and did not come into force; it is 2"]


def test_what_another_scaler_makes_of_its_own_knob_is_no_drift():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.knobs_here["nodes"] = replace(KNOBS["nodes"], owner="hpa")
    rig.ticks(5)
    rig.plant.values["nodes"] = 4
    rig.policy.wants = (action("nodes", 3),)
    ticks = rig.ticks(20)
    assert not any("another hand" in hold.reason for tick in ticks for hold in tick.holds)
    assert rig.plant.values["nodes"] == 3


def clamped(rig: Rig, most: int) -> None:
    """Let the plant go to `most` streams a batch, whatever it is asked for."""
    apply = rig.plant.apply
    rig.plant.apply = lambda knob, value: apply(knob, min(value, most))
    rig.plant.values["batch_size"] = 16


def test_a_plant_that_stays_between_has_shown_its_limit_and_is_asked_for_no_more():
    rig = Rig(Scripted(action("batch_size", 64)))
    clamped(rig, 32)
    ticks = rig.ticks(300)
    assert [alarm for tick in ticks for alarm in tick.alarms if "held" not in alarm] == [
        "batch_size: 64 was asked for 16 s ago and 32 is as far as it went: that counts as the "
        "limit for 60 minutes, or until `kapellmeister resume --knob batch_size`"
    ]
    assert rig.plant.applied == [("batch_size", 32)]
    assert rig.policy.contexts[-1].knobs["batch_size"].domain == Choice((8, 16, 32))
    assert not any("another hand" in hold.reason for tick in ticks for hold in tick.holds)


def test_a_limit_holds_for_an_hour_or_until_resumed_or_surpassed():
    rig = Rig(Scripted(action("batch_size", 64)))
    clamped(rig, 32)
    rig.ticks(100)
    rig.commands.waiting = [(1, Resume("batch_size"))]
    assert len(rig.tick().changes) == 1
    rig.ticks(3600)
    assert len(rig.plant.applied) == 2
    rig.ticks(20)
    assert len(rig.plant.applied) == 3
    rig.ticks(100)
    rig.policy.wants = ()
    rig.plant.values["batch_size"] = 64
    rig.ticks(2)
    assert rig.policy.contexts[-1].knobs == KNOBS


def test_a_limit_below_leaves_what_is_above_it():
    rig = Rig(Scripted(action("nodes", 1)))
    rig.plant.knobs_here["nodes"] = replace(KNOBS["nodes"], domain=Bounds(1, 4, step=3))
    apply = rig.plant.apply
    rig.plant.apply = lambda knob, value: apply(knob, max(value, 2))
    rig.plant.values["nodes"] = 4
    rig.ticks(60)
    assert rig.policy.contexts[-1].knobs["nodes"].domain == Bounds(2, 4, step=3)


def test_values_on_the_way_to_the_requested_one_are_no_drift():
    rig = Rig(Scripted(action("nodes", 3)))
    rig.plant.knobs_here["nodes"] = replace(KNOBS["nodes"], domain=Bounds(1, 4, step=2))
    rig.plant.arrives_after_s = 4.5
    rig.tick()
    rig.plant.values["nodes"] = 2
    ticks = rig.ticks(5)
    assert not any("another hand" in hold.reason for tick in ticks for hold in tick.holds)
    assert ticks[-1].states["nodes"].observed == 3
