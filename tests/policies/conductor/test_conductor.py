"""A decision is pure, and remembers what came of those before it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from conductor_cases import context, decide, judged
from fakes import KNOBS
from hypothesis import given
from hypothesis import strategies as st

from policies.diagnosis import Bottleneck
from policies.knobs import (
    Knob,
    SchedulingClass,
    Settings,
    ThreadClass,
)
from policies.observation import BlockCounts, Invalid, Missing, Observation, Stale, Value
from policies.proposal import Verdict, Verification

readings = st.one_of(
    st.floats(0.0, 2.0).map(Value),
    st.just(Missing("x")),
    st.builds(Stale, st.floats(0.0, 2.0), st.floats(0.0, 60.0)),
    st.just(Invalid("x")),
)
blocks = st.one_of(st.none(), st.builds(BlockCounts, *[st.integers(0, 100)] * 4))
knob_sets = st.sets(st.sampled_from(sorted(KNOBS)))


@pytest.mark.parametrize(
    ("verdict", "again_s"), [(Verdict.FELL_SHORT, 600.0), (Verdict.REFUSED, 60.0)]
)
def test_a_step_without_success_is_left_alone_for_a_while(verdict, again_s):
    first, state = decide(context(), None)
    assert first.actions[0].value.audio == ThreadClass(SchedulingClass.REALTIME, 60)
    came_of_it = Verification("1-c1", "thread_classes", verdict, "miss_rate", None, 0.05, "x")
    _, state = decide(replace(context(time_s=1001.0), verified=(came_of_it,)), state)
    early, late = (decide(context(time_s=1001.0 + t), state)[0] for t in (again_s - 1, again_s))
    assert early.actions[0].value.audio == ThreadClass()
    told = "realtime: tried on the same evidence without success; again in 1 s"
    assert early.rejected[0] == told
    assert late.actions[0].value.audio == ThreadClass(SchedulingClass.REALTIME, 60)


def test_the_dearer_steps_are_named_with_the_one_that_comes_first():
    proposal, _ = decide(context(), None)
    assert proposal.rejected == (
        "background_idle: realtime comes first and is judged first",
        "companions_yield: realtime comes first and is judged first",
    )


def test_the_same_evidence_gives_the_same_proposal_again():
    first, state = decide(context(), None)
    assert decide(context(), state) == (first, state)


@pytest.mark.parametrize(
    "state",
    [
        [1],
        "x",
        {"step_of": None, "spent": 3},
        {"spent": {"preemption/realtime": "late"}, "capacity": -1.0},
    ],
)
def test_a_state_that_is_none_of_ours_is_not_taken(state):
    assert decide(context(), state) == decide(context(), None)


def test_a_plant_without_knobs_is_left_as_it_is():
    bare = replace(context(), knobs={}, settings=Settings(), states={})
    bare = replace(bare, diagnosis=replace(bare.diagnosis, helpful_knobs=()))
    assert decide(bare, None)[0].actions == ()


def test_a_knob_that_must_not_be_turned_is_not_and_the_reason_is_told():
    paused = replace(context(), unavailable={"thread_classes": "paused until resumed"})
    proposal, _ = decide(paused, None)
    assert proposal.actions == ()
    assert "realtime: paused until resumed" in proposal.rejected


@pytest.mark.parametrize("verdict", [Verdict.FELL_SHORT, Verdict.ROLLED_BACK, Verdict.REFUSED])
def test_a_step_without_success_is_remembered(verdict):
    first, state = decide(context(), None)
    assert first.actions[0].value.audio.scheduling is SchedulingClass.REALTIME
    second, _ = decide(replace(context(), verified=(judged(verdict),)), state)
    assert second.actions[0].value.audio.scheduling is SchedulingClass.NORMAL


def test_a_step_that_nobody_could_judge_is_taken_again():
    """After a crash the watchdog has put everything back: that is nothing against real time."""
    _, state = decide(context(), None)
    _, state = decide(context(Bottleneck.UNKNOWN), state)
    again, _ = decide(replace(context(), verified=(judged(Verdict.UNDECIDED),)), state)
    assert again.actions[0].value.audio.scheduling is SchedulingClass.REALTIME


@given(
    bottleneck=st.sampled_from(Bottleneck),
    load=readings,
    busy=readings,
    counts=blocks,
    present=knob_sets,
    told=st.booleans(),
)
def test_a_decision_is_pure_and_made_whatever_is_known(
    bottleneck, load, busy, counts, present, told
):
    """`told`: settings name only knobs that are here; a knob may just have gone away."""
    seen = context(bottleneck)
    knobs: dict[str, Knob] = {name: KNOBS[name] for name in present}
    set_here = present if told else frozenset(KNOBS)
    seen = replace(
        seen,
        observation=Observation(
            1000.0, 1.0, load, blocks=counts, readings={"audio.utilisation": busy}
        ),
        knobs=knobs,
        settings=Settings.of({name: seen.settings[name] for name in set_here}),
        diagnosis=replace(
            seen.diagnosis,
            helpful_knobs=tuple(each for each in seen.diagnosis.helpful_knobs if each in present),
        ),
    )
    proposal, state = decide(seen, None)
    assert decide(seen, None) == (proposal, state)
    assert json.loads(json.dumps(state)) == state
    for action in proposal.actions:
        assert knobs[action.knob].domain.allows(action.value)
