from __future__ import annotations

import urllib.request
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import pytest
from exposed_tick import NODES, OBJECTIVE, TICK, TIMES, UNDONE
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from served import taken_port

from controller.errors import PortInUseError
from controller.instruments.metric_families import Totals, families
from controller.instruments.prometheus import Exposition
from controller.tick import ForecastSummary, Tick
from policies.knobs import KnobState, SchedulingClass, ThreadClass, ThreadClasses
from policies.observation import (
    BlockCounts,
    Invalid,
    Missing,
    Observation,
    StageTimes,
    Stale,
    Value,
)
from policies.proposal import (
    Hold,
    Refusal,
)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parse(text: str) -> Samples:
    return {
        (sample.name.removeprefix("kapellmeister_"), tuple(sorted(sample.labels.items()))): value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for value in [sample.value]
    }


def show(*ticks: Tick) -> Samples:
    """The text that a scrape after these ticks would read."""
    totals = Totals()
    for tick in ticks:
        totals = totals.plus(tick)
    shown = SimpleNamespace(collect=lambda: families(ticks[-1], totals, OBJECTIVE))
    return parse(generate_latest(shown).decode())


def scrape(exposition: Exposition) -> Samples:
    url = f"http://127.0.0.1:{exposition.port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return parse(answer.read().decode())


def seen(**what) -> Tick:
    return replace(TICK, observation=Observation(1000.0, 1.0, **what))


def test_what_is_served_is_the_last_tick_and_nothing_before_the_first() -> None:
    with closing(Exposition(0)) as exposition:
        assert scrape(exposition) == {}
        exposition.show(OBJECTIVE, seen(load=Value(3.0), blocks=BlockCounts(on_time=1)))
        exposition.show(OBJECTIVE, seen(load=Value(5.0), blocks=BlockCounts(on_time=2)))
        samples = scrape(exposition)
    assert samples["load", (("unit", "streams"),)] == 5.0
    assert samples["blocks_total", (("outcome", "on_time"),)] == 3


def test_a_tick_without_readings_gives_no_sample_where_a_zero_would_lie() -> None:
    tick = seen(readings={"cpu.utilisation": Invalid("nan"), "cpu.age": Stale(1.0, 9.0)})
    assert {name for name, _ in show(tick)} == {
        "alarms_total",
        "bottleneck",
        "deadline_seconds",
        "decisions_total",
        "held_actions",
        "knob_held_seconds",
        "knob_unavailable",
        "refusals_total",
        "rollbacks_total",
        "shadow",
        "target_miss_ratio",
        "tick_overruns_total",
        "tick_seconds_count",
        "tick_seconds_sum",
    }


def test_blocks_add_up_over_ticks_by_outcome() -> None:
    samples = show(
        seen(blocks=BlockCounts(on_time=90, late=10)),
        seen(blocks=BlockCounts(on_time=50, concealed=30, lost=20)),
    )
    assert samples["blocks_total", (("outcome", "on_time"),)] == 140
    assert samples["blocks_total", (("outcome", "late"),)] == 10
    assert samples["blocks_total", (("outcome", "concealed"),)] == 30
    assert samples["blocks_total", (("outcome", "lost"),)] == 20
    assert samples["miss_ratio", ()] == 0.5


def test_an_interval_that_reported_no_blocks_leaves_the_count_as_it_was() -> None:
    samples = show(seen(blocks=BlockCounts(on_time=90)), seen(blocks=None))
    assert samples["blocks_total", (("outcome", "on_time"),)] == 90
    assert ("miss_ratio", ()) not in samples


def test_times_are_in_seconds_and_an_unknown_quantile_is_left_out() -> None:
    samples = show(seen(latency=TIMES, stages={"compute": StageTimes(TIMES, TIMES)}))
    latency = {dict(key)["quantile"]: v for (name, key), v in samples.items() if "latency" in name}
    assert latency == {"0.5": 0.001, "0.95": 0.002, "1": 0.004}
    compute = (("quantile", "1"), ("stage", "compute"))
    assert samples["stage_start_lateness_seconds", compute] == 0.004
    assert samples["stage_service_seconds", compute] == 0.004


def test_readings_are_named_by_component_in_base_units() -> None:
    readings = {"cpu.steal_share": Value(0.02), "analysis.round_ms": Value(8.0)}
    samples = show(seen(load=Value(48.0), readings=readings))
    assert samples["plant_cpu_steal_ratio", ()] == 0.02
    assert samples["plant_analysis_round_seconds", ()] == 0.008
    assert samples["load", (("unit", "streams"),)] == 48.0


def test_a_unit_in_the_middle_of_a_name_is_a_base_unit_too() -> None:
    samples = show(
        seen(readings={"audio.cpu_ms_per_block": Value(0.5), "audio.xruns_per_s": Value(2.0)})
    )
    assert samples["plant_audio_cpu_seconds_per_block", ()] == 0.0005
    assert samples["plant_audio_xruns_per_second", ()] == 2.0


def test_a_gpu_is_told_in_bytes_hertz_watts_celsius_and_seconds() -> None:
    readings = {
        "gpu.owner_audio_bytes": Value(4096.0),
        "gpu.in_bytes_per_s": Value(2e9),
        "gpu.allocation_wait_us": Value(5.0),
        "gpu.sm_clock_mhz": Value(1410.0),
        "gpu.power_w": Value(312.5),
        "gpu.temperature_c": Value(61.0),
        "gpu.throttled": Value(1.0),
        "gpu.memory_clock_mhz": Missing("NVML: Not Supported"),
    }
    found = show(seen(readings=readings)).items()
    told = {name: value for (name, _), value in found if name.startswith("plant_gpu")}
    assert told == {
        "plant_gpu_owner_audio_bytes": 4096.0,
        "plant_gpu_in_bytes_per_second": 2e9,
        "plant_gpu_allocation_wait_seconds": pytest.approx(5e-6),
        "plant_gpu_sm_clock_hertz": 1.41e9,
        "plant_gpu_power_watts": 312.5,
        "plant_gpu_temperature_celsius": 61.0,
        "plant_gpu_throttled": 1.0,
    }


def test_the_objective_is_told_beside_what_is_held_against_it() -> None:
    samples = show(TICK)
    assert samples["target_miss_ratio", ()] == 0.002
    assert samples["deadline_seconds", ()] == 0.005


def test_a_forecast_is_a_summary_of_the_peak() -> None:
    forecast = ForecastSummary("ensemble", True, 60.0, 10.0, 12.0, 15.0)
    samples = show(replace(TICK, forecast=forecast))
    assert samples["forecast_peak_load", (("quantile", "0.99"),)] == 15.0
    assert samples["forecast_calibrated", ()] == 1.0
    assert not any(name.startswith("forecast") for name, _ in show(TICK))


def test_what_keeps_a_knob_is_told_and_zero_where_nothing_does() -> None:
    states = {"nodes": KnobState(), "batch_size": KnobState()}
    held = replace(
        TICK,
        states=states,
        holds=(Hold("nodes", "at rest", since_s=970.0),),
        unavailable={"nodes": "paused"},
    )
    samples = show(held)
    assert samples["knob_held_seconds", (("knob", "nodes"),)] == 30.0
    assert samples["knob_held_seconds", (("knob", "batch_size"),)] == 0.0
    assert samples["knob_unavailable", (("knob", "nodes"),)] == 1.0
    assert samples["knob_unavailable", (("knob", "batch_size"),)] == 0.0


def test_a_knob_that_is_a_number_shows_each_of_its_known_states() -> None:
    samples = show(replace(TICK, states={"nodes": KnobState(planned=3, requested=2)}))
    assert samples["knob_value", (("knob", "nodes"), ("state", "planned"))] == 3
    assert samples["knob_value", (("knob", "nodes"), ("state", "requested"))] == 2
    assert ("knob_value", (("knob", "nodes"), ("state", "observed"))) not in samples


def test_classes_of_work_are_told_in_labels() -> None:
    audio = ThreadClass(SchedulingClass.REALTIME, 60, cpus=frozenset({1, 0}))
    classes = ThreadClasses(audio=audio)
    tick = replace(TICK, states={"thread_classes": KnobState(observed=classes)})
    labels = [dict(key) for name, key in show(tick) if name == "thread_class_info"]
    assert len(labels) == 4
    assert {
        "class": "audio",
        "state": "observed",
        "scheduling": "realtime",
        "priority": "60",
        "nice": "0",
        "cpus": "0,1",
        "share": "",
    } in labels


def test_a_knob_that_is_a_word_is_told_in_a_label() -> None:
    label = (("knob", "governor"), ("state", "observed"), ("value", "performance"))
    samples = show(replace(TICK, states={"governor": KnobState(observed="performance")}))
    assert samples["knob_info", label] == 1


def test_decisions_rollbacks_refusals_alarms_and_turns_are_counted() -> None:
    nodes = (("knob", "nodes"),)
    assert show(TICK)["decisions_total", nodes] == 0
    samples = show(
        TICK,
        replace(TICK, changes=(NODES,), refusals=(Refusal("nodes", "full"),)),
        replace(TICK, verifications=(UNDONE,), alarms=("held long",), overruns=2),
    )
    assert samples["decisions_total", nodes] == 1
    assert samples["rollbacks_total", nodes] == 1
    assert samples["refusals_total", nodes] == 1
    assert samples["alarms_total", ()] == 1
    assert samples["tick_overruns_total", ()] == 2
    assert samples["tick_seconds_count", ()] == 3
    assert samples["tick_seconds_sum", ()] == pytest.approx(0.012)


def test_only_the_bottleneck_that_was_found_is_marked() -> None:
    marked = {dict(key)["cause"] for (name, key), v in show(TICK).items() if v and "bottle" in name}
    assert marked == {"queueing"}


def test_a_port_in_use_is_named_in_one_line_with_the_remedy() -> None:
    with taken_port() as port, pytest.raises(PortInUseError) as caught:
        Exposition(port)
    assert str(caught.value) == (
        f"metrics.port 127.0.0.1:{port}: Address already in use; choose another --metrics-port"
    )


def test_a_closed_exposition_frees_its_port_and_can_be_closed_again() -> None:
    first = Exposition(0)
    port = first.port
    first.close()
    first.close()
    with closing(Exposition(port)) as second:
        assert second.port == port
