"""The figures of one interval tell which resource holds the blocks up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import KNOBS, NO_QUANTILES, quantiles
from hypothesis import given
from hypothesis import strategies as st

from controller.config.config import ThresholdsSection
from controller.diagnosis.diagnostician import Diagnostician
from policies.diagnosis import Bottleneck, Breach
from policies.knobs import SchedulingClass, Settings, ThreadClass, ThreadClasses
from policies.objective import Objective
from policies.observation import (
    BlockCounts,
    Invalid,
    Missing,
    Observation,
    StageTimes,
    Stale,
    Value,
)

OBJECTIVE = Objective(deadline_ms=5.0, target_miss_rate=0.001)
CALM = {
    "audio.utilisation": 0.05,
    "audio.run_delay_share": 0.0005,
    "audio.queue_share": 0.0,
    "audio.cpu_ms_per_block": 0.2,
    "cpu.steal_share": 0.0,
    "cpu.pressure_some_share": 0.0,
}


ALREADY_REALTIME = Settings.of(
    {"thread_classes": ThreadClasses(audio=ThreadClass(SchedulingClass.REALTIME, 60))}
)


def diagnostician(**thresholds):
    return Diagnostician(ThresholdsSection(**thresholds), OBJECTIVE)


def observation(missed=0, lateness_ms=0.1, compute_ms=0.3, **readings):
    """An interval of 1 s and 10,000 blocks; CALM but for `readings` (None: not reported)."""
    figures = {**CALM, **{name.replace("__", "."): each for name, each in readings.items()}}
    stages = {
        "wait": StageTimes(quantiles(lateness_ms), quantiles(0.0)),
        "compute": StageTimes(quantiles(0.0), quantiles(compute_ms)),
    }
    return Observation(
        1000.0,
        1.0,
        Value(10.0),
        blocks=BlockCounts(on_time=10_000 - missed, late=missed),
        latency=quantiles(2.0),
        stages=stages,
        readings={
            name: Missing("not reported") if each is None else Value(each)
            for name, each in figures.items()
        },
    )


def diagnose(seen=None, knobs=KNOBS, **figures):
    seen = seen or observation(**figures)
    return diagnostician().diagnose(seen, None, Settings(), knobs)


def test_without_a_miss_or_a_breach_nothing_is_wrong():
    diagnosis = diagnose()
    assert (diagnosis.bottleneck, diagnosis.helpful_knobs) == (Bottleneck.NONE, ())
    assert diagnosis.summary == "every block on time; 99 of 100 within 2.00 ms"


def test_misses_within_the_target_call_for_nothing():
    assert diagnose(missed=10).bottleneck is Bottleneck.NONE


def test_threads_that_could_have_run_and_waited_were_preempted():
    """Figures of four spinners on two processors, the audio thread as found."""
    diagnosis = diagnose(missed=266, lateness_ms=7.4, audio__run_delay_share=0.128)
    assert diagnosis.bottleneck is Bottleneck.PREEMPTION
    assert diagnosis.helpful_knobs == ("thread_classes",)
    assert diagnosis.summary == (
        "2.66% of the blocks missed: blocks are held up for up to 7.4 ms "
        "(5.0 ms are allowed); audio could have run and waited 128 ms "
        "though it uses 5% of a processor: other threads run first"
    )


def test_blocks_queueing_behind_a_preempted_one_are_still_preemption():
    diagnosis = diagnose(
        missed=266, lateness_ms=7.4, audio__run_delay_share=0.128, audio__queue_share=0.06
    )
    assert diagnosis.bottleneck is Bottleneck.PREEMPTION


def test_a_thread_stopped_in_the_middle_of_a_batch_was_preempted_too():
    diagnosis = diagnose(missed=266, compute_ms=12.0, audio__run_delay_share=0.05)
    assert diagnosis.bottleneck is Bottleneck.PREEMPTION


def test_delays_too_small_to_notice_do_not_explain_a_miss_by_their_sum():
    """Many short waits: 50 ms in a second, none longer than 0.2 ms."""
    diagnosis = diagnose(missed=100, lateness_ms=0.2, audio__run_delay_share=0.05)
    assert diagnosis.bottleneck is Bottleneck.UNKNOWN


def test_a_lenient_threshold_does_not_hide_the_cause_of_a_miss():
    seen = observation(missed=266, lateness_ms=7.4, audio__run_delay_share=0.128)
    diagnosis = diagnostician(wait=1000.0).diagnose(seen, None, Settings(), KNOBS)
    assert (diagnosis.bottleneck, diagnosis.breaches) == (Bottleneck.PREEMPTION, ())


def test_a_late_start_is_early_evidence_before_anything_is_missed():
    diagnosis = diagnose(lateness_ms=3.4, audio__run_delay_share=0.03)
    assert diagnosis.bottleneck is Bottleneck.PREEMPTION
    assert diagnosis.breaches == (Breach("wait", 3.4, 1.0),)


def test_without_run_queue_times_a_crowded_machine_is_the_evidence():
    late = {"missed": 266, "lateness_ms": 7.4, "audio__run_delay_share": None}
    assert diagnose(**late, cpu__pressure_some_share=0.8).bottleneck is Bottleneck.PREEMPTION


def test_lateness_alone_is_no_evidence_of_preemption():
    diagnosis = diagnose(
        missed=266, lateness_ms=7.4, audio__run_delay_share=None, cpu__pressure_some_share=None
    )
    assert diagnosis.bottleneck is Bottleneck.UNKNOWN
    assert diagnosis.helpful_knobs == ()
    assert "too little is known" in diagnosis.summary


def test_a_plant_without_stages_is_preempted_where_its_thread_waited():
    figures = {**CALM, "audio.run_delay_share": 0.05}
    readings = {name: Value(each) for name, each in figures.items()}
    seen = Observation(0.0, 1.0, blocks=BlockCounts(90, 10), readings=readings)
    assert diagnose(seen).bottleneck is Bottleneck.PREEMPTION


def test_many_short_waits_do_not_hide_a_lock_from_a_plant_without_stages():
    """Figures of a JACK client that waits for its interpreter: real-time already, 51 late."""
    figures = {**CALM, "audio.run_delay_share": 0.011, "audio.interpreter_share": 0.998}
    readings = {name: Value(each) for name, each in figures.items()}
    seen = Observation(0.0, 1.0, blocks=BlockCounts(137, lost=51), readings=readings)
    assert diagnose(seen).bottleneck is Bottleneck.GIL


def cycles(missed, settings=ALREADY_REALTIME, **readings):
    """A second of an audio server at 256 frames, which tells of cycles alone."""
    figures = {**CALM, **{name.replace("__", "."): each for name, each in readings.items()}}
    seen = Observation(
        0.0,
        1.0,
        blocks=BlockCounts(188 - missed, lost=missed),
        readings={name: Value(each) for name, each in figures.items()},
    )
    return diagnostician().diagnose(seen, None, settings, KNOBS)


def test_a_cycle_lost_to_the_hypervisor_is_not_blamed_on_threads_that_run_after_audio():
    """Measured: real-time threads wait 6 ms a second without being pre-empted once."""
    stolen = {"audio__run_delay_share": 0.006, "cpu__steal_share": 0.01}
    assert cycles(1, **stolen).bottleneck is Bottleneck.STEAL
    assert cycles(1, Settings(), **stolen).bottleneck is Bottleneck.PREEMPTION


def test_audio_that_is_real_time_already_is_not_told_that_other_threads_run_first():
    diagnosis = cycles(60, audio__run_delay_share=0.4)
    assert diagnosis.bottleneck is Bottleneck.PREEMPTION
    assert diagnosis.summary.endswith(
        "its threads are real-time already, and wait for one another or for the kernel"
    )


def test_a_longer_period_is_what_a_cycle_then_may_take():
    """Measured at 512 frames: 24 of 94 cycles lost, 67 ms waited."""
    waited = {"audio__run_delay_share": 0.067, "audio__interpreter_share": 0.3}
    assert cycles(24, Settings(), **waited).bottleneck is Bottleneck.PREEMPTION
    longer = cycles(24, Settings(), **waited, audio__period_ms=10.7)
    assert longer.bottleneck is Bottleneck.GIL


def test_who_is_locked_out_all_the_time_is_not_helped_by_running_sooner():
    """Measured without hogs: to be real-time made five times as many cycles late."""
    waited = {"audio__run_delay_share": 0.039, "audio__period_ms": 10.7}
    locked_out = cycles(4, Settings(), **waited, audio__interpreter_share=0.999)
    assert locked_out.bottleneck is Bottleneck.GIL
    assert cycles(4, Settings(), **waited).bottleneck is Bottleneck.PREEMPTION


def test_a_program_that_never_sleeps_and_does_not_keep_time_is_overload():
    """Measured: 107 % of a period of work; JACK tells of two late cycles a second."""
    diagnosis = cycles(2, Settings(), audio__laggard_utilisation=0.995, audio__period_ms=5.3)
    assert diagnosis.bottleneck is Bottleneck.OVERLOAD
    waited = cycles(60, Settings(), audio__laggard_utilisation=0.995, audio__run_delay_share=0.4)
    assert waited.bottleneck is Bottleneck.PREEMPTION


def test_work_that_fills_the_processor_is_overload():
    diagnosis = diagnose(missed=500, audio__utilisation=0.93)
    assert diagnosis.bottleneck is Bottleneck.OVERLOAD
    assert diagnosis.helpful_knobs == ("batch_size", "nodes")
    assert "busy 93% of the time" in diagnosis.summary


def test_a_block_whose_work_nearly_takes_its_period_is_overload():
    diagnosis = diagnose(missed=500, compute_ms=4.6, audio__cpu_ms_per_block=4.4)
    assert diagnosis.bottleneck is Bottleneck.OVERLOAD


def test_a_batch_too_long_by_its_own_work_is_overload_before_anything_is_missed():
    diagnosis = diagnose(
        compute_ms=4.2, audio__cpu_ms_per_block=4.1, audio__utilisation=0.8, lateness_ms=0.2
    )
    assert diagnosis.bottleneck is Bottleneck.OVERLOAD


def test_blocks_that_wait_for_our_own_work_are_queueing():
    diagnosis = diagnose(
        missed=100, lateness_ms=3.0, audio__queue_share=0.05, audio__utilisation=0.7
    )
    assert diagnosis.bottleneck is Bottleneck.QUEUEING
    assert diagnosis.helpful_knobs == ("batch_size", "nodes")


def test_the_first_interval_in_which_threads_are_not_yet_accounted_for_blames_nobody():
    """Figures of a start: late blocks queue, and utilisation and waiting are not known yet."""
    diagnosis = diagnose(
        missed=776,
        lateness_ms=15.0,
        audio__queue_share=0.076,
        audio__utilisation=None,
        audio__run_delay_share=None,
        cpu__steal_share=None,
        cpu__pressure_some_share=None,
    )
    assert (diagnosis.bottleneck, diagnosis.helpful_knobs) == (Bottleneck.UNKNOWN, ())


def test_a_service_that_tells_of_misses_alone_may_be_given_more_capacity():
    nothing = {name.replace(".", "__"): None for name in CALM}
    diagnosis = diagnose(missed=100, **nothing)
    assert diagnosis.bottleneck is Bottleneck.UNKNOWN
    assert diagnosis.helpful_knobs == ("batch_size", "nodes")


@pytest.mark.parametrize(
    ("typical_ms", "busy", "cause"),
    [(76.0, 0.78, "overload"), (50.0, 0.78, "unknown"), (76.0, 0.4, "unknown")],
)
def test_blocks_that_are_nearly_late_without_a_hiccup_are_too_much_work(typical_ms, busy, cause):
    """The example service: two workers, batches of 8, of 100 ms; nobody tells who waited."""
    nothing = {name.replace(".", "__"): None for name in CALM}
    seen = observation(missed=2700, **(nothing | {"audio__utilisation": busy}))
    seen = replace(seen, stages={}, latency=quantiles(typical_ms))
    doctor = Diagnostician(ThresholdsSection(), Objective(deadline_ms=100.0))
    assert doctor.diagnose(seen, None, Settings(), KNOBS).bottleneck == cause


def test_without_utilisation_the_work_of_a_block_tells_whether_it_can_queue():
    figures = {"missed": 100, "audio__queue_share": 0.05, "audio__utilisation": None}
    assert diagnose(**figures, audio__cpu_ms_per_block=3.0).bottleneck is Bottleneck.QUEUEING
    assert diagnose(**figures, audio__cpu_ms_per_block=0.2).bottleneck is Bottleneck.UNKNOWN


def test_stolen_time_is_nobodys_knob_and_says_so():
    """Figures of a hypervisor's pause: late, nothing on the run queue, and time stolen."""
    diagnosis = diagnose(
        missed=100, lateness_ms=16.3, audio__queue_share=0.03, cpu__steal_share=0.02
    )
    assert (diagnosis.bottleneck, diagnosis.helpful_knobs) == (Bottleneck.STEAL, ())
    assert diagnosis.summary.endswith("; this plant has no knob that helps")


def test_one_short_theft_that_explains_the_worst_delay_is_named():
    """Half a per cent of a second is 5 ms and more: enough to hold one block up by 9 ms."""
    diagnosis = diagnose(missed=35, lateness_ms=8.9, cpu__steal_share=0.005)
    assert diagnosis.bottleneck is Bottleneck.STEAL


def test_a_theft_too_short_for_the_delay_is_not_blamed():
    diagnosis = diagnose(missed=35, lateness_ms=40.0, cpu__steal_share=0.005)
    assert diagnosis.bottleneck is Bottleneck.UNKNOWN


def test_late_but_neither_busy_nor_kept_waiting_is_unknown_with_its_evidence():
    """The interpreter's lock looks like this, and no priority cures it."""
    diagnosis = diagnose(missed=1200, lateness_ms=5.1, audio__queue_share=0.3)
    assert (diagnosis.bottleneck, diagnosis.helpful_knobs) == (Bottleneck.UNKNOWN, ())
    assert "neither busy (5%) nor kept from running (0.5 ms)" in diagnosis.summary
    assert "worst start lateness 5.1 ms (limit 5)" in map(str, diagnosis.evidence)


def test_only_knobs_that_this_plant_has_are_called_helpful():
    diagnosis = diagnose(knobs={}, missed=266, lateness_ms=7.4, audio__run_delay_share=0.128)
    assert diagnosis.helpful_knobs == ()
    assert diagnosis.summary.endswith("this plant has no knob that helps")


def test_the_worst_tracked_latency_since_the_last_diagnosis_is_a_breach_once():
    doctor = diagnostician(tick=100.0)
    for value_ms in (80.0, 130.0, 90.0):
        doctor.track_latency("tick", value_ms)
    first = doctor.diagnose(observation(), None, Settings(), KNOBS)
    again = doctor.diagnose(observation(), None, Settings(), KNOBS)
    assert first.breaches == (Breach("tick", 130.0, 100.0),)
    assert again.breaches == ()


def test_a_breach_beside_the_sound_is_reported_and_turns_nothing():
    diagnosis = diagnose(visualisation__picture_ms=900.0)
    assert diagnosis.bottleneck is Bottleneck.NONE
    assert diagnosis.breaches == (Breach("visualisation", 900.0, 500.0),)


def test_a_component_without_a_threshold_is_refused_with_those_that_have_one():
    with pytest.raises(ValueError, match="'gpu' has no threshold; those that have: wait, "):
        diagnostician().track_latency("gpu", 1.0)


def test_what_is_no_number_is_refused_as_a_latency():
    with pytest.raises(ValueError, match="tick: nan ms is no latency"):
        diagnostician().track_latency("tick", float("nan"))


def test_a_tick_that_the_plant_reports_meets_its_threshold():
    assert diagnose(control__tick_ms=140.0).breaches == (Breach("tick", 140.0, 100.0),)


readings = st.one_of(
    st.floats(0.0, 1e6).map(Value),
    st.just(Missing("x")),
    st.builds(Stale, st.floats(0.0, 1e6), st.floats(0.0, 60.0)),
    st.just(Invalid("x")),
)


@given(
    figures=st.fixed_dictionaries({}, optional=dict.fromkeys(CALM, readings)),
    lateness=readings,
    blocks=st.one_of(st.none(), st.builds(BlockCounts, *[st.integers(0, 1000)] * 4)),
)
def test_a_diagnosis_is_made_whatever_is_known(figures, lateness, blocks):
    wait = NO_QUANTILES.__class__(*(lateness,) * 4)
    stages = {"wait": StageTimes(wait, NO_QUANTILES)}
    seen = Observation(0.0, 1.0, blocks=blocks, stages=stages, readings=figures)
    diagnosis = diagnose(seen)
    assert diagnosis.summary
    assert set(diagnosis.helpful_knobs) <= set(KNOBS)
