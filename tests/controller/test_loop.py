"""The loop against a fake plant and a fake clock."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from fakes import AUDIO_ALONE, KNOBS, FakeClock, FakePlant, Rig, Scripted, action

from controller.commands import Pause, Restore, Resume
from controller.config.config import GuardSection
from controller.errors import PlantError, ReentryError
from policies.forecast import Forecast
from policies.knobs import Bounds, Choice, KnobState, SchedulingClass, ThreadClass, ThreadClasses
from policies.observation import Missing, Value
from policies.proposal import Expectation, Proposal, Verdict


def test_a_decision_becomes_a_change_in_force_and_is_confirmed():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.miss_share = lambda values, load: 0.05 if values["nodes"] == 1 else 0.0
    ticks = rig.ticks(4)
    assert [change.action.value for change in ticks[0].changes] == [2]
    assert rig.plant.applied == [("nodes", 2)]
    assert [v.verdict for tick in ticks for v in tick.verifications] == [Verdict.CONFIRMED]
    assert ticks[3].verifications[0].measured == 0.0


def test_a_knob_goes_from_planned_to_requested_to_observed():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.arrives_after_s = 1.5
    first, second, third = rig.ticks(3)
    assert first.states["nodes"] == KnobState(2, 2, 1, 1001.0)
    assert second.states["nodes"].observed == 1
    assert third.states["nodes"] == KnobState(2, 2, 2, 1001.0)
    assert first.settings["nodes"] == 1
    assert third.settings["nodes"] == 2


def test_a_change_that_hurts_is_rolled_back_and_told_to_the_policy():
    policy = Scripted(action("nodes", 2, changed=0.0, unchanged=0.01))
    rig = Rig(policy)
    rig.plant.miss_share = lambda values, load: 0.01 if values["nodes"] == 1 else 0.5
    ticks = rig.ticks(5)
    assert ticks[3].verifications[0].verdict is Verdict.ROLLED_BACK
    assert rig.plant.applied == [("nodes", 2), ("nodes", 1)]
    assert ticks[4].holds[0].reason.startswith("rests another 29.0 s after a rollback")
    assert [len(context.verified) for context in policy.contexts] == [0, 0, 0, 0, 1]


def test_a_rollback_that_the_plant_refuses_is_not_called_one():
    rig = Rig(Scripted(action("nodes", 2, unchanged=0.01)))
    rig.plant.miss_share = lambda values, load: 0.01 if values["nodes"] == 1 else 0.5
    rig.ticks(3)
    rig.plant.refuses["nodes"] = "no such permission"
    tick = rig.tick()
    assert tick.verifications[0].verdict is Verdict.FELL_SHORT
    assert tick.refusals[0].reason == "no such permission"
    assert "it stays: no such permission" in tick.alarms[0]


def test_a_refused_change_is_recorded_and_not_asked_for_again_at_once():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.refuses["nodes"] = "no room"
    first, *later = rig.ticks(10)
    assert first.refusals[0].reason == "no room"
    assert first.states["nodes"].requested is None
    assert all(not tick.changes and not tick.refusals for tick in later)


def test_shadow_decides_and_records_and_turns_nothing():
    rig = Rig(Scripted(action("nodes", 2)), shadow=True)
    ticks = rig.ticks(6)
    assert ticks[0].shadow
    assert ticks[0].changes[0].action.value == 2
    assert ticks[0].states["nodes"] == KnobState(planned=2, requested=None, observed=1)
    assert rig.plant.applied == []
    assert all(tick.verifications == () for tick in ticks)


def test_the_loop_cannot_be_entered_from_within():
    rig = Rig(Scripted())
    rig.plant.during_observe = rig.loop.tick
    with pytest.raises(ReentryError):
        rig.tick()
    rig.plant.during_observe = lambda: None
    assert rig.tick().number == 2


def test_run_ticks_at_whole_intervals_until_the_plant_ends():
    rig = Rig(Scripted())
    rig.plant.ends_at_s = 1003.0
    rig.loop.run()
    assert [tick.time_s for tick in rig.recorder.ticks] == [1001.0, 1002.0, 1003.0]


def test_run_ends_when_told_to():
    rig = Rig(Scripted())
    rig.loop.run(lambda: rig.clock.time_s >= 1003.0)
    assert [tick.time_s for tick in rig.recorder.ticks] == [1001.0, 1002.0]


@pytest.mark.parametrize(("duration_s", "ticks"), [(0.5, 1), (1.0, 1), (2.0, 2), (2.5, 3)])
def test_a_run_of_so_many_seconds_has_a_tick_for_each(duration_s, ticks):
    rig = Rig(Scripted())
    rig.loop.run(duration_s=duration_s)
    assert [tick.time_s for tick in rig.recorder.ticks] == [1001.0, 1002.0, 1003.0][:ticks]


def test_a_turn_that_overruns_is_counted_and_the_turns_it_ran_into_are_skipped():
    rig = Rig(Scripted())
    rig.plant.ends_at_s = 1007.0

    def dawdle_once():
        rig.clock.time_s += 2.5 if rig.clock.time_s == 1002.0 else 0.0

    rig.plant.during_observe = dawdle_once
    rig.loop.run()
    assert [tick.time_s for tick in rig.recorder.ticks] == [1001.0, 1004.5, 1005.0, 1006.0, 1007.0]
    assert [tick.overruns for tick in rig.recorder.ticks] == [0, 0, 1, 1, 1]
    assert [tick.duration_ms for tick in rig.recorder.ticks] == [0.0, 2500.0, 0.0, 0.0, 0.0]
    assert rig.diagnostician.tracked[1] == ("tick", 2500.0)


def test_a_turn_that_takes_exactly_its_interval_has_not_overrun():
    rig = Rig(Scripted())
    rig.plant.ends_at_s = 1004.0

    def take_a_second():
        rig.clock.time_s += 1.0

    rig.plant.during_observe = take_a_second
    rig.loop.run()
    assert [tick.overruns for tick in rig.recorder.ticks] == [0, 0, 0]


def test_a_plant_that_is_gone_ends_the_run():
    rig = Rig(Scripted())

    def vanish():
        raise PlantError("fake", "it has ended", "start it")

    rig.plant.during_observe = vanish
    with pytest.raises(PlantError, match="it has ended"):
        rig.loop.run()


class Broken:
    name = "broken"

    def __init__(self, answer):
        self.answer = answer

    def decide(self, context, state):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ZeroDivisionError("by zero"), "raised ZeroDivisionError"),
        (None, "raised TypeError"),
        ((None, None), "returned a NoneType, not a Proposal"),
        ((Proposal((action("nodse", 2),)), None), "a knob 'nodse' that this plant has not"),
        ((Proposal((action("nodes", 2.0),)), None), "nodes to 2.0, which is not of its type"),
        ((Proposal((action("nodes", True),)), None), "nodes to True, which is not of its type"),
        ((Proposal((action("batch_size", "8"),)), None), "batch_size to '8'"),
        ((Proposal((action("thread_classes", 1),)), None), "thread_classes to 1"),
        ((Proposal((action("nodes", 2, changed=math.nan),)), None), "no prediction"),
        ((Proposal((action("nodes", 2, changed=-1.0),)), None), "no prediction"),
        ((Proposal((action("nodes", 2, curve=()),)), None), "no prediction"),
        (
            (
                Proposal(
                    (action("nodes", 2, curve=(Expectation(9.0, 0, 0), Expectation(1.0, 0, 0))),)
                ),
                None,
            ),
            "no prediction",
        ),
        ((Proposal((action("nodes", 2),)), {1, 2}), "raised TypeError"),
        ((Proposal((action("nodes", 2),)), math.inf), "raised ValueError"),
    ],
)
def test_a_policy_that_answers_nonsense_raises_an_alarm_and_turns_nothing(answer, words):
    rig = Rig(Broken(answer))
    tick = rig.ticks(2)[1]
    assert words in tick.alarms[0]
    assert "\n" not in tick.alarms[0]
    assert tick.changes == ()
    assert rig.plant.applied == []
    assert rig.loop.memory()["policy"] == {"broken": None}


def test_a_warning_from_elsewhere_is_an_alarm_for_as_long_as_it_stands():
    warnings = iter((None, "processor 1 starves", None))
    rig = Rig(Scripted(), warn=lambda: next(warnings))
    assert [tick.alarms for tick in rig.ticks(3)] == [(), ("processor 1 starves",), ()]


class BrokenForecaster:
    name = "broken"

    def __init__(self, answer, memory=None):
        self.answer = answer
        self.remembered = memory

    def update(self, time_s, reading):
        pass

    def predict(self, horizon_s, step_s):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def fit_task(self):
        return None

    def memory(self):
        return self.remembered

    def resume(self, memory):
        raise KeyError("not mine")


def paths(*shape, fill=1.0):
    return Forecast(np.full(shape, fill), 1.0, 0.0, "broken")


@pytest.mark.parametrize(
    ("answer", "memory", "words"),
    [
        (ZeroDivisionError("by zero"), None, "raised ZeroDivisionError"),
        ("tomorrow: sunny", None, "returned a str, not a Forecast"),
        (paths(3), None, "returned paths of shape (3,)"),
        (paths(3, 0), None, "returned paths of shape (3, 0)"),
        (paths(2, 2, fill=math.nan), None, "negative or not finite"),
        (paths(2, 2, fill=-1.0), None, "negative or not finite"),
    ],
)
def test_a_forecaster_that_fails_raises_an_alarm_and_last_value_stands_in_for_it(
    answer, memory, words
):
    rig = Rig(Scripted(action("nodes", 2)), forecaster=BrokenForecaster(answer, memory))
    tick = rig.tick()
    assert words in tick.alarms[0]
    assert tick.forecast.model == "last_value"
    assert rig.plant.applied == [("nodes", 2)]


def test_what_a_forecaster_learned_and_cannot_be_kept_raises_an_alarm_at_the_next_tick():
    rig = Rig(Scripted(), forecaster=BrokenForecaster(paths(2, 2), {1, 2}))
    first, second = rig.ticks(2)
    assert first.forecast is not None
    assert "what it learned is lost: raised TypeError" in second.alarms[0]
    assert rig.recorder.memories[-1]["forecaster"] == {}


def test_what_a_forecaster_learned_is_recorded_every_five_minutes():
    rig = Rig(Scripted())
    values = [memory["forecaster"]["last_value"]["updates"] for memory in memories_of(rig, 302)]
    assert [values[0], values[299], values[300], values[301]] == [1, 1, 301, 301]


def memories_of(rig, ticks):
    rig.ticks(ticks)
    return rig.recorder.memories


def test_a_slow_knob_is_forecast_for_also_after_a_restart():
    rig = Rig(Scripted())
    assert rig.tick().forecast.horizon_s == 60.0
    rig.recorder.memories[-1]["actuation"]["nodes"] = 100.0
    assert resumed(rig).tick().forecast.horizon_s == 240.0


def test_a_forecaster_that_cannot_read_its_memory_raises_an_alarm_and_starts_afresh():
    rig = Rig(Scripted(), forecaster=BrokenForecaster(paths(2, 60), memory=[1]))
    rig.tick()
    again = resumed(rig, forecaster=BrokenForecaster(paths(2, 60), memory=[2]))
    first, second = again.ticks(2)
    assert first.alarms == (
        "forecaster broken cannot read its own memory: raised KeyError('not mine')",
    )
    assert first.forecast.peak_p50 == 1.0
    assert second.alarms == ()


def test_the_record_holds_the_peak_that_the_forecast_expects():
    rig = Rig(Scripted())
    rig.plant.load = Value(12.0)
    forecast = rig.ticks(2)[1].forecast
    assert (forecast.model, forecast.calibrated, forecast.horizon_s) == ("last_value", False, 60.0)
    assert (forecast.peak_p50, forecast.peak_p90, forecast.peak_p99) == (12.0, 12.0, 12.0)


def test_instruments_see_each_tick_once_it_is_recorded():
    seen = []
    rig = Rig(Scripted(), instruments=[seen.append])
    tick = rig.tick()
    assert seen == [tick]
    assert rig.recorder.ticks == [tick]


def test_a_knob_without_a_reading_counts_as_in_force_where_it_was_requested():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.tick()
    rig.plant.silent_about.add("nodes")
    tick = rig.tick()
    assert tick.settings["nodes"] == 2
    assert tick.states["nodes"].observed is None
    assert [v.verdict for t in rig.ticks(2) for v in t.verifications] == [Verdict.CONFIRMED]


def test_a_knob_never_reported_is_held_since_nothing_could_be_rolled_back_to():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.silent_about.add("nodes")
    assert "its value in force is unknown" in rig.tick().holds[0].reason


def test_a_knob_that_comes_while_the_plant_runs_can_be_turned():
    rig = Rig(Scripted())
    rig.plant.knobs_here = {}
    assert rig.tick().states == {}
    rig.plant.knobs_here = dict(KNOBS)
    rig.policy.wants = (action("nodes", 2),)
    assert rig.tick().changes[0].action.knob == "nodes"


def test_a_knob_that_goes_away_ends_its_evaluation_undecided():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.tick()
    rig.policy.wants = ()
    del rig.plant.knobs_here["nodes"]
    verification = rig.tick().verifications[0]
    assert verification.verdict is Verdict.UNDECIDED
    assert verification.reason == "the plant no longer has this knob"


# another plant


def test_a_change_that_a_restart_overtakes_is_not_judged():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.tick()
    rig.policy.wants = ()
    rig.plant.miss_share = lambda values, load: 0.5
    rig.plant.tells = {"discontinuity": "another server plays"}
    (verification,) = rig.tick().verifications
    assert verification.verdict is Verdict.UNDECIDED
    assert verification.reason == "nothing to compare: another server plays"
    rig.plant.tells = {}
    assert not any(tick.verifications for tick in rig.ticks(10))
    assert rig.plant.applied == [("nodes", 2)]


def test_a_change_that_is_made_as_the_plant_becomes_another_is_judged():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.tells = {"discontinuity": "another server plays"}
    rig.tick()
    rig.plant.tells = {}
    verdicts = [each.verdict for tick in rig.ticks(4) for each in tick.verifications]
    assert verdicts == [Verdict.CONFIRMED]


def test_in_freewheel_nothing_is_judged_and_nothing_turned():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.tells = {"no_deadline": "the server freewheels", "blocks": None}
    assert all(tick.changes == tick.holds == () for tick in rig.ticks(90))
    assert rig.plant.applied == []
    rig.plant.tells = {}
    assert [change.action.value for change in rig.tick().changes] == [2]


def test_policies_are_told_the_deadline_that_the_plant_has_now():
    rig = Rig(Scripted())
    rig.tick()
    rig.plant.tells = {"deadline_ms": 21.3}
    rig.tick()
    assert [each.objective.deadline_ms for each in rig.policy.contexts] == [5.0, 21.3]


# another hand


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


def test_what_the_plant_reports_becomes_an_alarm():
    rig = Rig(Scripted())
    observe = rig.plant.observe
    rig.plant.observe = lambda: replace(observe(), events=("the server is gone",))
    assert rig.tick().alarms == ("the server is gone",)


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


# commands


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


# kill -9


def resumed(rig: Rig, policy=None, **options) -> Rig:
    """A new loop on the same plant, from the last memory as it came through JSON."""
    memory = json.loads(json.dumps(rig.recorder.memories[-1], allow_nan=False))
    again = Rig(policy or rig.policy, plant=rig.plant, clock=rig.clock, **options)
    again.loop.resume(memory)
    return again


def test_a_killed_controller_goes_on_where_it_was():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.commands.waiting = [(1, Pause("batch_size"))]
    rig.ticks(2)
    again = resumed(rig)
    tick = again.tick()
    assert tick.number == 3
    assert again.loop.memory()["policy"] == {"scripted": 3}
    assert again.policy.contexts[-1].unavailable["batch_size"] == "paused until resumed"
    assert tick.forecast.peak_p50 == 10.0
    assert [v.verdict for v in again.tick().verifications] == [Verdict.CONFIRMED]


def test_ids_of_changes_stay_unique_across_a_restart():
    rig = Rig(Scripted(action("nodes", 2)))
    first = rig.tick().changes[0].id
    again = resumed(rig, Scripted(action("batch_size", 32)))
    again.plant.found["batch_size"] = again.plant.values["batch_size"] = 16
    second = again.tick().changes[0].id
    assert (first, second) == ("1001-c1", "1001-c2")


def test_a_change_no_longer_in_force_after_a_restart_is_undecided_and_the_value_as_found():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.ticks(2)
    rig.plant.values["nodes"] = 1
    again = resumed(rig, Scripted())
    tick = again.tick()
    assert tick.verifications[0].verdict is Verdict.UNDECIDED
    assert "no longer in force" in tick.verifications[0].reason
    assert tick.holds == ()


def test_a_change_applied_but_never_recorded_is_taken_as_found_after_a_restart():
    rig = Rig(Scripted())
    rig.tick()
    rig.plant.values["nodes"] = 2
    again = resumed(rig, Scripted(action("nodes", 3)))
    tick = again.tick()
    assert tick.holds == ()
    assert tick.changes[0].previous == 2


def test_a_resumed_run_in_shadow_leaves_earlier_evaluations_undecided():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.ticks(2)
    again = resumed(rig, Scripted(), shadow=True)
    assert [v.verdict for v in again.tick().verifications] == [Verdict.UNDECIDED]


def test_another_policy_than_before_starts_afresh():
    rig = Rig(Scripted())
    rig.ticks(3)
    again = resumed(rig, Broken((Proposal(), "fresh")))
    again.tick()
    assert again.loop.memory()["policy"] == {"broken": "fresh"}


def test_the_learned_delay_of_a_knob_survives():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.arrives_after_s = 2.0
    rig.ticks(4)
    assert rig.loop.memory()["actuation"]["nodes"] == pytest.approx(0.6)
    again = resumed(rig, Scripted())
    again.ticks(3)
    assert again.loop.memory()["actuation"]["nodes"] == pytest.approx(0.6)


def test_a_memory_of_the_wrong_kind_is_refused():
    with pytest.raises(ValueError, match="a memory is an object"):
        Rig(Scripted()).loop.resume([])


def test_the_three_rollbacks_that_put_a_knob_in_shadow_are_remembered():
    limits = GuardSection(rollback_cooldown_s=1.0, cooldown_s=1.0)
    rig = Rig(Scripted(action("nodes", 2, unchanged=0.01)), limits=limits)
    rig.plant.miss_share = lambda values, load: 0.01 if values["nodes"] == 1 else 0.5
    rig.ticks(30)
    assert len([1 for _, value in rig.plant.applied if value == 1]) == 3
    again = resumed(rig, limits=limits)
    reason = again.tick().holds[0].reason
    assert reason.startswith("in shadow: rolled back 3 times within 3600 s")
    again.commands.waiting = [(1, Resume("nodes"))]
    assert again.tick().changes[0].action.value == 2


def test_a_plant_without_a_load_is_controlled_too():
    plant = FakePlant(FakeClock())
    plant.load = Missing("this plant has no streams")
    rig = Rig(Scripted(action("nodes", 2)), plant=plant, clock=plant.clock)
    ticks = rig.ticks(4)
    assert ticks[0].forecast is None
    assert ticks[3].verifications[0].verdict is Verdict.CONFIRMED
