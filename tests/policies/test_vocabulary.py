"""The values that decisions speak in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.baselines.static import Static
from policies.diagnosis import Breach, Evidence
from policies.forecast import Forecast
from policies.knobs import (
    AnyThreadClasses,
    Bounds,
    Choice,
    Direction,
    Knob,
    KnobState,
    SchedulingClass,
    Settings,
    ThreadClass,
    ThreadClasses,
)
from policies.observation import (
    BlockCounts,
    Invalid,
    Missing,
    Observation,
    Stale,
    Value,
    fresh,
    reading,
)
from policies.policy import Policy
from policies.proposal import Effect, Expectation

REALTIME = ThreadClass(SchedulingClass.REALTIME, 70)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (3, Value(3.0)),
        (0.0, Value(0.0)),
        (None, Missing("not reported")),
        (math.nan, Invalid("nan is not a finite number")),
        (-math.inf, Invalid("-inf is not a finite number")),
        (-1.0, Invalid("-1 is below 0")),
    ],
)
def test_a_raw_number_is_judged_before_it_travels_on(raw, expected):
    assert reading(raw, minimum=0.0) == expected


def test_only_a_value_can_be_acted_on():
    kinds = [Value(2.0), Stale(2.0, 1.0), Missing("x"), Invalid("x")]
    assert [fresh(each) for each in kinds] == [2.0, None, None, None]


counts = st.builds(BlockCounts, *[st.integers(0, 10**9)] * 4)


@given(counts, counts)
def test_submitted_is_the_sum_of_the_outcomes_however_counts_are_combined(one, other):
    for each in (one, other, one + other, (one + other) - other):
        assert each.submitted == each.on_time + each.late + each.concealed + each.lost
    assert (one + other) - other == one


def test_where_nothing_was_submitted_there_is_no_miss_rate():
    assert BlockCounts().miss_rate is None
    assert BlockCounts(on_time=3, late=1).miss_rate == 0.25
    assert Observation(0.0, 1.0, blocks=BlockCounts()).miss_rate == Missing(
        "no block was submitted"
    )
    assert Observation(0.0, 1.0).miss_rate == Missing("the plant reported no blocks")


def test_every_reading_of_an_observation_has_a_name():
    seen = Observation(
        0.0, 1.0, Value(9.0), blocks=BlockCounts(1, 1), readings={"cpu.steal_share": Value(0.1)}
    )
    assert seen.get("load") == Value(9.0)
    assert seen.get("miss_rate") == Value(0.5)
    assert seen.get("latency_p99_ms") == Missing("nothing was measured")
    assert seen.get("cpu.steal_share") == Value(0.1)
    assert seen.get("cpu.temperature") == Missing("not reported")


def test_the_peak_over_a_window_is_taken_path_by_path():
    forecast = Forecast(np.array([[9.0, 1.0], [1.0, 9.0]]), 1.0, 0.0, "two paths")
    assert forecast.quantile(0.5, 1) == 5.0
    assert forecast.quantile(0.5, 2) == 5.0
    assert forecast.peak_quantile(0.5, 2) == 9.0
    assert forecast.peak_quantile(0.5, 1) == 5.0


def test_bounds_allow_whole_numbers_only():
    assert [Bounds(1, 4).allows(value) for value in (0, 1, 4, 5, 2.0)] == [
        False,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("audio", "allowed"),
    [
        (ThreadClass(), True),
        (REALTIME, True),
        (ThreadClass(SchedulingClass.REALTIME, 71), False),
        (ThreadClass(SchedulingClass.REALTIME, 0), False),
        (ThreadClass(SchedulingClass.NORMAL, priority=5), False),
        (ThreadClass(nice=-20), True),
        (ThreadClass(nice=-21), False),
        (ThreadClass(share=0.85), True),
        (ThreadClass(share=0.86), False),
        (ThreadClass(cpus=frozenset({0})), True),
        (ThreadClass(cpus=frozenset({2})), False),
        (ThreadClass(cpus=frozenset()), False),
    ],
)
def test_thread_classes_ask_for_no_more_than_the_machine_and_the_reserve_permit(audio, allowed):
    domain = AnyThreadClasses(cpus=frozenset({0, 1}))
    assert domain.allows(ThreadClasses(audio=audio)) is allowed


def test_where_the_kernel_refuses_nothing_above_normal_is_allowed():
    domain = AnyThreadClasses(realtime=False, nice=False)
    assert not domain.allows(ThreadClasses(audio=REALTIME))
    assert not domain.allows(ThreadClasses(audio=ThreadClass(nice=-1)))
    assert domain.allows(ThreadClasses(background=ThreadClass(SchedulingClass.IDLE)))


@pytest.mark.parametrize(
    ("after", "direction"),
    [
        (ThreadClasses(), Direction.SAME),
        (ThreadClasses(audio=REALTIME), Direction.GROW),
        (ThreadClasses(background=ThreadClass(SchedulingClass.IDLE)), Direction.GROW),
        (ThreadClasses(audio=ThreadClass(nice=10)), Direction.SHRINK),
        (ThreadClasses(analysis=ThreadClass(nice=-5)), Direction.SHRINK),
    ],
)
def test_what_protects_the_audio_threads_more_is_growth(after, direction):
    knob = Knob("thread_classes", AnyThreadClasses(), "cpu")
    assert knob.direction(ThreadClasses(), after) is direction


def test_a_choice_grows_in_the_order_of_its_values_not_of_their_size():
    knob = Knob("hog", Choice(("idle", "batch", "normal")), "cpu")
    assert knob.direction("idle", "normal") is Direction.GROW
    assert knob.direction("batch", "idle") is Direction.SHRINK


def test_settings_are_the_same_in_whatever_order_they_were_made():
    one = Settings.of({"nodes": 2, "batch_size": 64})
    assert one == Settings.of({"batch_size": 64, "nodes": 2})
    assert (one.nodes, one.batch_size) == (2, 64)
    assert one.turned("nodes", 3).nodes == 3
    assert one.nodes == 2
    assert "period_frames" not in one


def test_what_is_seen_of_a_knob_leaves_what_was_asked_for():
    assert KnobState(3, 2, 1, 9.0).seen(None) == KnobState(3, 2, None, 9.0)


def test_an_effect_is_read_off_at_the_load_that_came():
    curve = (Expectation(10.0, 0.0, 0.1), Expectation(20.0, 0.2, 0.5))
    effect = Effect("miss_rate", "", curve)
    assert effect.at(15.0) == Expectation(15.0, pytest.approx(0.1), pytest.approx(0.3))
    assert effect.at(5.0) == Expectation(5.0, 0.0, 0.1)
    assert effect.at(99.0) == Expectation(99.0, 0.2, 0.5)
    assert effect.at(None) == curve[1]


def test_values_read_as_a_person_would_say_them():
    classes = ThreadClasses(
        audio=REALTIME,
        analysis=ThreadClass(SchedulingClass.BATCH, nice=5, cpus=frozenset({1, 0}), share=0.25),
        background=ThreadClass(SchedulingClass.IDLE),
    )
    assert str(classes) == (
        "audio realtime 70; analysis batch nice 5 cpu 0,1 <= 25%; "
        "visualisation normal; background idle"
    )
    assert str(Evidence("steal", 0.123456, "of processor time", 0.05)) == (
        "steal 0.123 of processor time (limit 0.05)"
    )
    assert str(Breach("wait", 1.5, 1.0)) == "wait 1.50 ms (threshold 1.00 ms)"


def test_static_is_a_policy_that_proposes_nothing():
    assert isinstance(Static(), Policy)
    proposal, state = Static().decide(None, {"any": 1})
    assert proposal.actions == ()
    assert state == {"any": 1}
