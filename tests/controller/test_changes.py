"""Changes on a fake plant, from admission to verdict."""

from __future__ import annotations

from fakes import Rig, Scripted, action

from policies.proposal import Verdict


def test_a_decision_becomes_a_change_in_force_and_is_confirmed():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.miss_share = lambda values, load: 0.05 if values["nodes"] == 1 else 0.0
    ticks = rig.ticks(4)
    assert [change.action.value for change in ticks[0].changes] == [2]
    assert rig.plant.applied == [("nodes", 2)]
    assert [v.verdict for tick in ticks for v in tick.verifications] == [Verdict.CONFIRMED]
    assert ticks[3].verifications[0].measured == 0.0


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


def test_a_knob_that_goes_away_ends_its_evaluation_undecided():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.tick()
    rig.policy.wants = ()
    del rig.plant.knobs_here["nodes"]
    verification = rig.tick().verifications[0]
    assert verification.verdict is Verdict.UNDECIDED
    assert verification.reason == "the plant no longer has this knob"


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
