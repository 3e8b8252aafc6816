"""The conductor earns each change by evidence, and learns from what comes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conductor_cases import Machine, context, decide, modelled, narrowed

from policies.conductor.evidence import RecentMisses
from policies.conductor.remedies.remedies import remedies
from policies.conductor.situation import Situation
from policies.conductor.sizing.estimates import Estimates
from policies.conductor.sizing.outlook import look_out
from policies.diagnosis import Bottleneck, Diagnosis
from policies.forecast import Forecast
from policies.knobs import (
    Bounds,
    Choice,
    Knob,
    SchedulingClass,
    Settings,
)
from policies.observation import BlockCounts, Observation, Value
from policies.proposal import Verdict, Verification

STATIC_UNDER_STRESS = [0.05, 0.02, 0.05, 0.08, 0.2, 0.1, 0.3, 0.33]
"""Contention as it was measured: the same four spinners, second by second."""


def test_with_every_block_on_time_nothing_is_turned():
    machine = Machine()
    assert machine.turns(60) == []


def test_the_first_turn_that_shows_preemption_makes_audio_real_time():
    machine = Machine()
    machine.ticks(3)
    machine.plant.hogs = 4
    assert machine.turns(1) == ["audio realtime 60"]
    assert machine.plant.observe().miss_rate == Value(0.0)


def test_real_time_is_kept_once_earned():
    machine = Machine()
    machine.plant.hogs = 4
    assert machine.turns(5) == ["audio realtime 60"]
    machine.plant.hogs = 0
    assert machine.turns(700) == []
    assert machine.verdicts() == [Verdict.CONFIRMED]


def test_the_reason_gives_the_figures():
    machine = Machine()
    machine.plant.hogs = 4
    reason = machine.tick().changes[0].action.reason
    assert reason == (
        "50.00% of the blocks missed: blocks are held up for up to 20.0 ms "
        "(5.0 ms are allowed); audio could have run and waited 1000 ms "
        "though it uses 5% of a processor: other threads run "
        "first; real-time 60 lets audio run as soon as a block is there"
    )


def test_real_time_stays_below_the_plants_own_driver():
    machine = Machine()
    machine.permit(priority_max=20)
    machine.plant.hogs = 4
    assert machine.turns(1) == ["audio realtime 20"]


def test_where_real_time_is_refused_background_work_yields_first():
    machine = Machine()
    machine.permit(realtime=False)
    machine.plant.hogs = 4
    assert machine.turns(1) == ["background idle"]


def test_steps_follow_one_another_while_the_evidence_persists_and_none_is_repeated():
    """The hogs are not ours: what can be done does not help, and is left alone after."""
    machine = Machine()
    machine.permit(realtime=False)
    machine.plant.hogs, machine.plant.hogs_are_ours = 4, False
    assert machine.turns(120) == [
        "background idle",
        "audio normal nice -11",
        "analysis batch, visualisation idle",
        "audio normal nice -11 cpu 1, analysis batch cpu 0, "
        "visualisation idle cpu 0, background idle cpu 0",
    ]


@pytest.mark.parametrize(
    ("bad_intervals", "without_it"), [(0, 0.2), (3, 0.2), (4, 0.07)], ids=lambda each: str(each)
)
def test_a_step_is_held_against_what_enough_intervals_have_shown(bad_intervals, without_it):
    """5 % are missed now, 7 % were at most before; one or two intervals may have seen the onset."""
    seen = context()
    missed = [[seen.time_s - 1.0 - second, 0.07] for second in range(bad_intervals)]
    memory = {"settings": str(seen.settings), "settled_at_s": 0.0, "missed": missed}
    effect = decide(seen, memory)[0].actions[0].effect
    assert effect.at(None).unchanged == without_it


def test_what_was_missed_with_other_settings_tells_nothing():
    seen = context()
    missed = [[seen.time_s - 1.0 - second, 0.07] for second in range(8)]
    memory = {"settings": "others", "settled_at_s": 0.0, "missed": missed}
    assert decide(seen, memory)[0].actions[0].effect.at(None).unchanged == 0.2


@pytest.mark.parametrize(
    ("bottleneck", "bad_intervals"),
    [(Bottleneck.UNKNOWN, 3), (Bottleneck.STEAL, 6)],
    ids=lambda each: str(each),
)
def test_the_period_waits_longer_where_the_hypervisor_may_leave_off(bottleneck, bad_intervals):
    seen = replace(
        context(bottleneck),
        knobs={"period_frames": Knob("period_frames", Choice((256, 512)), "cpu")},
        diagnosis=Diagnosis(bottleneck, "because", helpful_knobs=("period_frames",)),
        settings=Settings.of({"period_frames": 256}),
    )
    for bad in (bad_intervals - 1, bad_intervals):
        before = [seen.time_s - second for second in range(1, bad)]  # this one is bad as well
        actions = decide(seen, {"bad_at_s": before})[0].actions
        assert bool(actions) is (bad == bad_intervals)


@pytest.mark.parametrize(("missed", "turned"), [(0.0013, False), (0.0053, True)])
def test_no_last_resort_is_taken_while_lately_all_together_is_within_the_target(missed, turned):
    """Of 750 cycles a second one is 0.13 %: three of those in ten seconds are 0.04 %."""
    seen = replace(
        context(Bottleneck.UNKNOWN),
        knobs={"period_frames": Knob("period_frames", Choice((64, 128)), "cpu")},
        diagnosis=Diagnosis(Bottleneck.UNKNOWN, "because", helpful_knobs=("period_frames",)),
        settings=Settings.of({"period_frames": 64}),
    )
    recent = RecentMisses(bad_intervals=3, worst=None, total=3 * missed, intervals=10)
    (alternative,) = remedies(Situation.of(seen), None, recent)
    assert (alternative.action is not None) is turned
    if not turned:
        assert "0.04% missed lately, which is within the target" in alternative.why_not


@pytest.mark.parametrize("unsettled", ["discontinuity", "awaits"])
def test_what_was_missed_until_a_cure_is_in_force_again_calls_for_no_last_resort(unsettled):
    period = Knob("period_frames", Choice((256, 512)), "cpu")
    bad = replace(
        context(Bottleneck.UNKNOWN),
        knobs={"period_frames": period},
        diagnosis=Diagnosis(Bottleneck.UNKNOWN, "because", helpful_knobs=("period_frames",)),
        settings=Settings.of({"period_frames": 256}),
    )
    disturbed = replace(
        bad, observation=replace(bad.observation, discontinuity="another server plays")
    )
    if unsettled == "awaits":
        awaits = {"period_frames": replace(period, awaits="threads were scheduled anew")}
        disturbed = replace(bad, knobs=awaits)
    _, state = decide(disturbed, {"bad_at_s": [997.0, 998.0, 999.0]})
    turned = []
    for second in (1.0, 2.0, 3.0):
        proposal, state = decide(replace(bad, time_s=1000.0 + second), state)
        turned.append(len(proposal.actions))
    assert turned == [0, 0, 1]


@pytest.mark.parametrize(
    ("bottleneck", "then"), [(Bottleneck.OVERLOAD, None), (Bottleneck.GIL, 1024)]
)
def test_work_that_is_no_smaller_part_of_a_longer_period_is_not_given_a_longer_one_yet(
    bottleneck, then
):
    """Of 107 % of a period at 256 frames 107 % are left at 512; a lock is held for a time."""
    period = Knob("period_frames", Choice((256, 512, 1024)), "cpu", disruption_ms=27.0)
    found = Diagnosis(bottleneck, "because", helpful_knobs=("period_frames",))
    seen = replace(
        context(bottleneck),
        knobs={"period_frames": period},
        diagnosis=found,
        settings=Settings.of({"period_frames": 256}),
    )
    first, state = decide(seen, {"bad_at_s": [997.0, 998.0, 999.0]})
    assert first.actions[0].value == 512
    effect = first.actions[0].effect.at(None)
    fell_short = Verification("c1", "period_frames", Verdict.FELL_SHORT, "x", effect, 0.05, "")
    later = replace(
        seen,
        time_s=1010.0,
        verified=(fell_short,),
        settings=Settings.of({"period_frames": 512}),
    )
    _, state = decide(later, state)
    bad_again = {**state, "bad_at_s": [1017.0, 1018.0, 1019.0]}
    second = decide(replace(later, time_s=1020.0, verified=()), bad_again)[0]
    assert [each.value for each in second.actions] == ([] if then is None else [then])


@pytest.mark.parametrize("seconds", range(len(STATIC_UNDER_STRESS)))
def test_stress_that_grows_does_not_make_a_step_look_harmful(seconds):
    """Neither helps nor hurts, begun at any second of contention as it was measured."""
    machine = Machine()
    machine.permit(realtime=False, nice=False)
    machine.plant.hogs, machine.plant.hogs_are_ours = 4, False
    machine.plant.contention = STATIC_UNDER_STRESS[seconds:] + STATIC_UNDER_STRESS * 3
    machine.ticks(16)
    assert Verdict.FELL_SHORT in machine.verdicts()
    assert Verdict.ROLLED_BACK not in machine.verdicts()


def test_real_time_earned_at_the_very_onset_is_not_undone_by_a_glitch():
    """One hundredth of the onset was seen; of what follows the hypervisor spoils 0.4 %."""
    machine = Machine()
    machine.plant.hogs = 4
    machine.plant.contention = [0.06, 1.0]
    assert machine.turns(1) == ["audio realtime 60"]
    machine.plant.stolen = 0.004
    machine.ticks(5)
    assert machine.verdicts() == [Verdict.FELL_SHORT]
    assert machine.plant.values["thread_classes"].audio.scheduling is SchedulingClass.REALTIME


def test_a_step_that_starves_audio_is_rolled_back():
    """A machine on which real-time scheduling does harm, whatever the reason."""
    machine = Machine()
    machine.plant.hogs = 1
    found = machine.plant.found["thread_classes"]
    machine.plant.protection = lambda: (
        0.0 if machine.plant.values["thread_classes"] == found else -40.0
    )
    assert machine.turns(5)[0] == "audio realtime 60"
    assert machine.verdicts() == [Verdict.ROLLED_BACK]
    assert machine.plant.values["thread_classes"] == found


def test_a_refused_step_gives_way_to_the_next():
    machine = Machine()
    machine.plant.hogs = 4
    machine.plant.refuses["thread_classes"] = "no real-time bandwidth in this group"
    assert machine.turns(1) == ["audio realtime 60"]
    del machine.plant.refuses["thread_classes"]
    assert machine.turns(3) == ["background idle"]
    assert machine.verdicts()[0] is Verdict.REFUSED


def test_stolen_time_turns_nothing():
    machine = Machine()
    machine.plant.stolen = 0.03
    assert machine.turns(30) == []
    assert machine.recorder.ticks[-1].diagnosis.bottleneck is Bottleneck.STEAL


def test_with_every_node_in_use_the_reason_says_that_no_step_is_open():
    proposal, _ = decide(context(Bottleneck.OVERLOAD, nodes=4, busy=0.95), None)
    assert proposal.actions == ()
    assert proposal.reason == "because; no step against it is open now"
    assert proposal.rejected == (
        "another node: there are 4 already, the most allowed",
        "larger batch: saves no kernel call",
    )


@pytest.mark.parametrize(("most", "asked"), [(2, 2), (3, 3), (4, 4), (20, 4)])
def test_evidence_asks_for_as_many_nodes_as_the_work_needs_and_one_change_can_bring(most, asked):
    peak = Forecast(np.full((10, 60), 200.0), 1.0, 1000.0, "fixed", calibrated=True)
    seen = narrowed(context(Bottleneck.OVERLOAD, forecast=peak, busy=0.9), most)
    nodes = replace(seen.knobs["nodes"], domain=Bounds(1, most, step=3))
    proposal, _ = decide(replace(seen, knobs={**seen.knobs, "nodes": nodes}), None)
    assert [each.value for each in proposal.actions] == [asked]
    assert not [each for each in proposal.rejected if each.startswith("nodes")]


def test_queueing_is_met_with_larger_batches_first():
    proposal, _ = decide(context(Bottleneck.QUEUEING, batch_size=8, busy=0.6), None)
    assert [(each.knob, each.value) for each in proposal.actions] == [("batch_size", 32)]
    assert "a block takes 3 calls of 8 streams, and 1 with 32" in proposal.actions[0].reason


@pytest.mark.parametrize(
    ("due", "late", "acts_at"),
    [(500, 2, 4), (500, 4, 1), (20, 1, 3)],
    ids=["two of 500 come by chance, six of 1,500 do not", "nor do four", "nor two of 40"],
)
def test_where_no_cause_is_known_a_few_late_periods_are_chance_until_they_come_again(
    due, late, acts_at
):
    """20 streams whose periods, `due` in an interval, are `late` for all of them together."""
    state = None
    for interval in range(1, acts_at + 1):
        seen = context(Bottleneck.UNKNOWN, time_s=1000.0 + interval)
        diagnosis = replace(seen.diagnosis, helpful_knobs=("nodes",))
        blocks = BlockCounts(20 * (due - late), 20 * late)
        observation = Observation(seen.time_s, 1.0, Value(20.0), blocks=blocks)
        seen = replace(seen, observation=observation, diagnosis=diagnosis)
        proposal, state = decide(seen, state)
        acted = [each.value for each in proposal.actions]
        assert acted == ([2] if interval == acts_at else [])
        told = "periods were late of late, as may be by chance on target"
        assert acted or told in str(proposal.rejected)


def test_queueing_in_one_call_is_met_with_a_node():
    proposal, _ = decide(context(Bottleneck.QUEUEING, batch_size=32, busy=0.6), None)
    assert [(each.knob, each.value) for each in proposal.actions] == [("nodes", 2)]


@pytest.mark.parametrize(("nodes", "steps"), [(1, set()), (2, {"nodes"})])
def test_what_the_model_explains_is_left_to_it_and_what_it_does_not_is_met_at_once(nodes, steps):
    """20 streams, of which 5 % are missed: too few nodes where there is one, not where two."""
    seen = Situation.of(modelled(nodes=nodes))
    outlook = look_out(seen, None, Estimates(), 1.0, predictive=True)
    found = {
        each.action.knob
        for each in remedies(seen, outlook, RecentMisses(0, None))
        if each.action is not None
    }
    assert found == steps


def test_work_that_does_not_fit_gets_another_node():
    machine = Machine(stream_ms=0.22)
    assert machine.turns(1) == ["nodes 2"]
    machine.ticks(4)
    assert machine.verdicts() == [Verdict.CONFIRMED]


def test_a_node_that_halves_the_misses_under_rising_load_is_kept():
    """From 20 to 40 streams while it is judged: twice the misses, and rightly grown."""
    machine = Machine(stream_ms=0.25)
    machine.tick()
    machine.plant.load = Value(40.0)
    machine.ticks(4)
    assert Verdict.ROLLED_BACK not in machine.verdicts()
    assert machine.plant.values["nodes"] >= 2
