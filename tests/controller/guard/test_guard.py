"""The guard admits changes, or holds them and says why."""

from __future__ import annotations

from dataclasses import replace

from fakes import KNOBS, action
from reviews import SETTINGS, observation, reason, review, review_context

from controller.commands import Pause
from controller.config.config import GuardSection
from controller.guard.guard import Guard
from policies.knobs import (
    Bounds,
    Choice,
    Knob,
    SchedulingClass,
    Settings,
    ThreadClass,
    ThreadClasses,
)
from policies.observation import BlockCounts
from policies.proposal import Change

REALTIME = ThreadClasses(audio=ThreadClass(SchedulingClass.REALTIME, 70))


def test_a_growth_within_the_limits_is_admitted_and_says_when_its_effect_is_due():
    changes, holds = review(Guard(GuardSection()), action("nodes", 3), delays_s={"nodes": 0.5})
    assert holds == ()
    change = changes[0]
    assert (change.id, change.action.value, change.previous) == ("0-c1", 3, 2)
    assert (change.admitted_at_s, change.due_s) == (0.0, 2.5)


def pending(knob, value, change="0-c9", previous=1):
    return Change(change, action(knob, value), previous, admitted_at_s=0.0, due_s=1.0)


def test_a_growth_under_way_is_awaited_followed_by_a_larger_one_and_not_shrunk():
    guard, arriving = Guard(GuardSection()), {"placement": pending("nodes", 3)}
    assert review(guard, action("nodes", 3), pending=arriving) == ((), ())
    wide = {"nodes": replace(KNOBS["nodes"], domain=Bounds(1, 4, step=3))}
    changes, _ = review(guard, action("nodes", 4), pending=arriving, knobs=wide)
    assert [change.action.value for change in changes] == [4]
    held = reason(Guard(GuardSection()), action("nodes", 1), pending=arriving)
    assert held == "placement awaits the verification of 0-c9"


def test_a_growth_that_has_arrived_is_judged_before_the_next():
    arrived = {"placement": pending("nodes", 2)}
    held = reason(Guard(GuardSection()), action("nodes", 3), pending=arrived)
    assert held == "placement awaits the verification of 0-c9"


def test_a_shrink_under_evaluation_gives_way_to_a_growth_and_to_nothing_else():
    shrunk = {"placement": pending("nodes", 2, previous=3)}
    changes, _ = review(Guard(GuardSection()), action("nodes", 3), pending=shrunk)
    assert [change.action.value for change in changes] == [3]
    held = reason(Guard(GuardSection()), action("nodes", 1), pending=shrunk)
    assert held == "placement awaits the verification of 0-c9"


def test_what_is_about_to_leave_can_be_taken_back():
    """Two are in force, and one was asked for: it takes a while to go."""
    leaving = {"placement": pending("nodes", 1, previous=2)}
    changes, _ = review(Guard(GuardSection()), action("nodes", 2), pending=leaving)
    assert [change.action.value for change in changes] == [2]
    arriving = {"placement": pending("nodes", 3, previous=2)}
    assert review(Guard(GuardSection()), action("nodes", 2), pending=arriving) == ((), ())


def test_a_value_already_in_force_is_neither_admitted_nor_held():
    assert review(Guard(GuardSection()), action("nodes", 2)) == ((), ())


def test_a_value_outside_the_domain_is_held():
    guard = Guard(GuardSection())
    assert reason(guard, action("nodes", 5)) == "5 is not allowed: 1 to 4"
    assert reason(guard, action("batch_size", 7)) == "7 is not allowed: one of 8, 16, 32, 64"
    too_high = ThreadClasses(audio=ThreadClass(SchedulingClass.REALTIME, 99))
    assert reason(guard, action("thread_classes", too_high)) == (
        "audio realtime 99 is not allowed: real-time permitted"
    )


def test_one_change_moves_bounds_at_most_one_step():
    changes, _ = review(Guard(GuardSection()), action("nodes", 4))
    assert changes[0].action.value == 3
    assert changes[0].action.reason == "because; one change goes no further than 3"


def test_a_knob_rests_after_a_change():
    guard = Guard(GuardSection(cooldown_s=2.0))
    review(guard, action("nodes", 3))
    assert reason(guard, action("nodes", 3), time_s=1.0) == "rests another 1.0 s after a change"
    assert len(review(guard, action("nodes", 3), time_s=2.0)[0]) == 1


def test_a_knob_rests_longer_after_a_rollback():
    guard = Guard(GuardSection(rollback_cooldown_s=30.0))
    guard.rolled_back("nodes", 0.0)
    assert "after a rollback" in reason(guard, action("nodes", 3), time_s=29.0)
    assert len(review(guard, action("nodes", 3), time_s=30.0)[0]) == 1


def test_after_a_shrink_was_rolled_back_only_shrinking_has_to_wait():
    guard = Guard(GuardSection(rollback_cooldown_s=30.0, shrink_after_s=5.0))
    guard.rolled_back("nodes", 0.0, shrink=True)
    assert len(review(guard, action("nodes", 3), time_s=1.0)[0]) == 1
    told = reason(guard, action("nodes", 1), time_s=10.0)
    assert told == "not shrunk for another 20.0 s after a rollback"
    assert len(review(guard, action("nodes", 1), time_s=40.0)[0]) == 1


def test_shrinks_rolled_back_again_and_again_put_shrinking_alone_in_shadow():
    guard = Guard(GuardSection(rollbacks_to_shadow=2, shrink_after_s=5.0))
    for second in (0.0, 100.0):
        guard.rolled_back("nodes", second, shrink=True)
    assert "not shrunk: rolled back 2 times" in reason(guard, action("nodes", 1), time_s=200.0)
    assert len(review(guard, action("nodes", 3), time_s=201.0)[0]) == 1
    guard.resume_knob("nodes")
    assert "proposed for 0.0 s" in reason(guard, action("nodes", 1), time_s=210.0)


def test_all_knobs_together_change_no_more_often_than_the_rate_in_any_minute():
    guard = Guard(GuardSection(changes_per_minute=2))
    review(guard, action("nodes", 3), time_s=0.0)
    review(guard, action("thread_classes", REALTIME), time_s=5.0)
    assert (
        reason(guard, action("nodes", 3), time_s=59.0) == "2 changes were made within the last 60 s"
    )
    assert len(review(guard, action("nodes", 3), time_s=60.0)[0]) == 1


def test_of_two_actions_on_one_resource_the_second_is_held():
    changes, holds = review(
        Guard(GuardSection()), action("thread_classes", REALTIME), action("batch_size", 64)
    )
    assert [change.action.knob for change in changes] == ["thread_classes"]
    assert [(hold.knob, hold.reason) for hold in holds] == [
        ("batch_size", "cpu awaits the verification of 0-c1")
    ]


def test_two_actions_on_two_resources_are_both_admitted():
    changes, _ = review(
        Guard(GuardSection()), action("thread_classes", REALTIME), action("nodes", 3)
    )
    assert [change.id for change in changes] == ["0-c1", "0-c2"]


def test_a_resource_under_evaluation_is_left_alone():
    held = reason(
        Guard(GuardSection()),
        action("batch_size", 64),
        pending={"cpu": pending("thread_classes", REALTIME)},
    )
    assert held == "cpu awaits the verification of 0-c9"


# hysteresis


def test_shrinking_is_done_once_it_was_proposed_long_enough():
    guard = Guard(GuardSection(shrink_after_s=15.0))
    for second in range(15):
        assert "without a break" in reason(guard, action("nodes", 1), time_s=float(second))
    changes, _ = review(guard, action("nodes", 1), time_s=15.0)
    assert changes[0].action.value == 1


def test_one_tick_without_the_proposal_starts_shrinking_over():
    guard = Guard(GuardSection(shrink_after_s=3.0))
    for second in range(3):
        review(guard, action("nodes", 1), time_s=float(second))
    review(guard, time_s=3.0)
    assert "for 0.0 s of 3.0 s" in reason(guard, action("nodes", 1), time_s=4.0)


def test_growing_never_waits():
    guard = Guard(GuardSection(shrink_after_s=1000.0))
    assert len(review(guard, action("batch_size", 64))[0]) == 1


# drift


def test_a_drifted_knob_is_held_even_where_nothing_is_proposed():
    _, holds = review(Guard(GuardSection()), drift={"nodes": "another hand set it to 4"})
    assert [(hold.knob, hold.reason) for hold in holds] == [("nodes", "another hand set it to 4")]


def test_a_hold_that_lasts_raises_an_alarm_and_releases_nothing():
    guard = Guard(GuardSection(hold_alarm_s=60.0))
    alarms = []
    for second in range(600):
        changes, holds = review(
            guard, action("nodes", 3), time_s=float(second), drift={"nodes": "moved"}
        )
        assert changes == ()
        assert holds[0].since_s == 0.0
        alarms.append(holds[0].alarm)
    assert alarms == [False] * 61 + [True] * 539


def test_a_hold_that_was_interrupted_counts_from_anew():
    guard = Guard(GuardSection())
    review(guard, time_s=0.0, drift={"nodes": "moved"})
    review(guard, time_s=1.0)
    _, holds = review(guard, time_s=2.0, drift={"nodes": "moved"})
    assert holds[0].since_s == 2.0


def test_another_hand_is_an_alarm_at_once_where_the_sound_suffers():
    guard, moved = Guard(GuardSection(hold_alarm_s=60.0)), {"nodes": "moved"}
    _, holds = review(guard, time_s=1.0, drift=moved, seen=observation(1.0))
    assert not holds[0].alarm
    suffering = observation(2.0, blocks=BlockCounts(on_time=9_900, lost=100))
    _, holds = review(guard, time_s=2.0, drift=moved, seen=suffering)
    assert holds[0].alarm


# no deadline


def test_where_no_deadline_holds_nothing_is_turned_and_nothing_held_for_long():
    guard, exporting = Guard(GuardSection(hold_alarm_s=5.0)), "the server freewheels"
    for second in range(20):
        seen = replace(observation(float(second)), blocks=None, no_deadline=exporting)
        assert review(guard, action("nodes", 3), time_s=float(second), seen=seen) == ((), ())
        blocked = guard.unavailable(review_context(float(second), seen=seen))
        assert blocked == dict.fromkeys(KNOBS, exporting)


def test_a_knob_that_must_not_be_turned_as_things_are_says_why():
    knobs = {**KNOBS, "nodes": replace(KNOBS["nodes"], obstacle="two devices share it")}
    held = reason(Guard(GuardSection()), action("nodes", 3), knobs=knobs)
    assert held == "two devices share it"
    blocked = Guard(GuardSection()).unavailable(review_context(knobs=knobs))
    assert blocked == {"nodes": "two devices share it"}


def test_what_the_plant_put_in_force_again_is_awaited_on_its_resource_alone():
    again = replace(KNOBS["thread_classes"], awaits="threads were scheduled anew")
    knobs = {**KNOBS, "thread_classes": again}
    held = reason(Guard(GuardSection()), action("batch_size", 64), knobs=knobs)
    assert held == "threads were scheduled anew"
    changes, _ = review(Guard(GuardSection()), action("nodes", 3), knobs=knobs)
    assert [change.action.value for change in changes] == [3]


def test_in_shadow_what_is_wanted_is_admitted_once_and_makes_nothing_rest():
    guard = Guard(GuardSection(changes_per_minute=1), acting=frozenset())
    admitted = [
        [change.action.value for change in review(guard, *actions, time_s=float(second))[0]]
        for second, actions in enumerate(
            [
                [action("nodes", 3)],
                [action("nodes", 3)],
                [action("batch_size", 64)],
                [],
                [action("nodes", 3), action("batch_size", 64)],
            ]
        )
    ]
    assert admitted == [[3], [], [64], [], [3, 64]]


# pauses and shadow


def test_a_pause_of_shrinking_still_lets_a_knob_grow():
    guard = Guard(GuardSection(shrink_after_s=0.5))
    guard.pause(Pause("nodes", shrink_only=True))
    assert "nodes" not in guard.unavailable(review_context())
    review(guard, action("nodes", 1), time_s=0.0)
    assert reason(guard, action("nodes", 1), time_s=1.0) == "shrinking is paused until resumed"
    assert len(review(guard, action("nodes", 3), time_s=1.0)[0]) == 1


def test_a_pause_of_all_knobs_holds_each():
    guard = Guard(GuardSection())
    guard.pause(Pause(until_s=60.0))
    assert guard.unavailable(review_context()) == dict.fromkeys(KNOBS, "paused for another 60 s")
    assert guard.unavailable(review_context(time_s=60.0)) == {}


def test_three_rollbacks_within_the_window_put_a_knob_in_shadow_until_they_are_past():
    guard = Guard(GuardSection(rollbacks_to_shadow=3, rollback_window_s=3600.0))
    for second in (0.0, 1000.0, 2000.0):
        guard.rolled_back("nodes", second)
    assert "in shadow: rolled back 3 times" in reason(guard, action("nodes", 3), time_s=3599.0)
    assert len(review(guard, action("nodes", 3), time_s=3600.0)[0]) == 1


def test_two_rollbacks_do_not():
    guard = Guard(GuardSection(rollbacks_to_shadow=3))
    guard.rolled_back("nodes", 0.0)
    guard.rolled_back("nodes", 1.0)
    assert len(review(guard, action("nodes", 3), time_s=100.0)[0]) == 1


def test_every_knob_that_may_not_be_turned_is_named_with_its_reason():
    guard = Guard(GuardSection())
    guard.rolled_back("batch_size", 0.0)
    found = guard.unavailable(
        review_context(
            time_s=1.0,
            drift={"thread_classes": "moved"},
            pending={"placement": pending("nodes", 1, "0-c1")},
        )
    )
    assert found == {
        "thread_classes": "moved",
        "batch_size": "rests another 29.0 s after a rollback",
        "nodes": "placement awaits the verification of 0-c1",
    }


def test_a_guard_that_was_killed_remembers_rests_pauses_rollbacks_and_its_count():
    guard = Guard(GuardSection(rollbacks_to_shadow=1))
    guard.pause(Pause("thread_classes"))
    guard.rolled_back("nodes", 0.0)
    review(guard, action("batch_size", 64), time_s=1.0)
    again = Guard(guard.limits)
    again.resume(guard.saved())
    now = review_context(time_s=2.0)
    assert again.unavailable(now) == guard.unavailable(now)
    assert len(again.unavailable(now)) == 3
    changes, _ = review(again, action("batch_size", 64), time_s=10.0)
    assert changes[0].id == "1-c2"


def test_a_step_is_bounded_downwards_too():
    knobs = {"nodes": Knob("nodes", Bounds(1, 9, step=2), "placement")}
    guard = Guard(GuardSection(shrink_after_s=0.5))
    settings = Settings.of({"nodes": 9})
    review(guard, action("nodes", 1), time_s=0.0, knobs=knobs, settings=settings)
    changes, _ = review(guard, action("nodes", 1), time_s=1.0, knobs=knobs, settings=settings)
    assert changes[0].action.value == 7


def test_with_data_a_choice_may_go_any_distance():
    knobs = {"batch_size": Knob("batch_size", Choice((8, 16, 32, 64)), "cpu")}
    settings = Settings.of({"batch_size": 8})
    changes, _ = review(
        Guard(GuardSection()), action("batch_size", 64), knobs=knobs, settings=settings
    )
    assert changes[0].action.value == 64


def test_a_value_that_the_plant_refused_rests_and_another_does_not():
    settings = SETTINGS.turned("batch_size", 16)
    guard = Guard(GuardSection(rollback_cooldown_s=30.0))
    guard.refused("batch_size", 64, 0.0)
    assert reason(guard, action("batch_size", 64), time_s=29.0, settings=settings) == (
        "the plant refused that value, and is asked again in 1.0 s"
    )
    changes, _ = review(guard, action("batch_size", 32), time_s=29.0, settings=settings)
    assert changes[0].action.value == 32


def test_a_refused_value_is_asked_for_again_after_its_rest():
    guard = Guard(GuardSection(rollback_cooldown_s=30.0))
    guard.refused("batch_size", 64, 0.0)
    changes, _ = review(guard, action("batch_size", 64), time_s=30.0)
    assert changes[0].action.value == 64


def test_a_far_value_is_not_asked_for_while_the_step_towards_it_was_refused():
    guard = Guard(GuardSection())
    guard.refused("nodes", 3, 0.0)
    assert "refused that value" in reason(guard, action("nodes", 4), time_s=5.0)


def test_a_refusal_survives_a_restart():
    guard = Guard(GuardSection())
    guard.refused("thread_classes", REALTIME, 0.0)
    again = Guard(GuardSection())
    again.resume(guard.saved())
    assert "refused that value" in reason(again, action("thread_classes", REALTIME), time_s=5.0)
