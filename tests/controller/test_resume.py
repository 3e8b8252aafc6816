"""A loop that goes on where an earlier one was killed."""

from __future__ import annotations

import pytest
from fakes import Broken, Rig, Scripted, action, resumed

from controller.commands import Pause, Resume
from controller.config.config import GuardSection
from policies.proposal import Proposal, Verdict


def test_a_killed_controller_goes_on_where_it_was():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.commands.waiting = [(1, Pause("batch_size"))]
    rig.ticks(2)
    again = resumed(rig)
    tick = again.tick()
    assert tick.number == 3
    assert again.loop.saved()["policy"] == {"scripted": 3}
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
    assert again.loop.saved()["policy"] == {"broken": "fresh"}


def test_the_learned_delay_of_a_knob_survives():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.arrives_after_s = 2.0
    rig.ticks(4)
    assert rig.loop.saved()["actuation"]["nodes"] == pytest.approx(0.6)
    again = resumed(rig, Scripted())
    again.ticks(3)
    assert again.loop.saved()["actuation"]["nodes"] == pytest.approx(0.6)


def test_a_saved_state_of_the_wrong_kind_is_refused():
    with pytest.raises(ValueError, match="a saved state is an object"):
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
