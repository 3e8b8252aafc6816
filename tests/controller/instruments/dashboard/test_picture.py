"""The live page is told a tick with null, and never a zero, where a value is not known."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from fakes import AUDIO_ALONE
from ticks import NODES, RAISED, SILENT

from controller.instruments.dashboard.picture import picture
from controller.tick import ForecastSummary
from policies.diagnosis import Bottleneck, Diagnosis, Evidence
from policies.knobs import KnobState, ThreadClasses
from policies.observation import (
    BlockCounts,
    Invalid,
    Missing,
    Quantiles,
    StageTimes,
    Stale,
    Value,
)
from policies.proposal import (
    Expectation,
    Hold,
    Verdict,
    Verification,
)


def seen(**what) -> dict:
    return picture(replace(SILENT, observation=replace(SILENT.observation, **what)))


def test_of_a_plant_that_says_nothing_every_figure_is_null() -> None:
    told = picture(SILENT)
    assert told["point"].pop("time_s") == 1000.0
    assert set(told["point"].values()) == {None}
    assert told["forecast"] is None


def test_why_a_figure_is_absent_is_told_by_its_name() -> None:
    times = Quantiles(Value(1.0), Missing("-"), Stale(2.0, 3.2), Missing("-"))
    told = seen(load=Missing("JACK has no streams"), latency=times)
    assert told["absent"] == {
        "load": "JACK has no streams",
        "p99_ms": "2 was read 3 s ago",
        "miss_rate": "the plant reported no blocks",
    }
    assert told["point"]["p50_ms"] == 1.0
    assert told["point"]["p99_ms"] is None


def test_blocks_are_counted_where_they_are_told() -> None:
    point = seen(blocks=BlockCounts(on_time=90, late=4, concealed=6))["point"]
    assert (point["blocks"], point["missed"], point["miss_rate"]) == (100, 10, 0.1)


def test_a_reading_is_its_number_or_why_there_is_none() -> None:
    readings = {"cpu.utilisation": Value(0.5), "cpu.steal_share": Invalid("-1 is below 0")}
    assert seen(readings=readings)["readings"] == {
        "cpu.utilisation": 0.5,
        "cpu.steal_share": "-1 is below 0",
    }


def test_what_json_cannot_write_is_null() -> None:
    forecast = ForecastSummary("ensemble", False, 60.0, 10.0, math.inf, math.nan)
    evidence = (Evidence("work per block", math.nan, "ms", math.inf),)
    diagnosis = Diagnosis(Bottleneck.UNKNOWN, "", evidence)
    told = picture(replace(SILENT, forecast=forecast, diagnosis=diagnosis))
    json.dumps(told, allow_nan=False)
    assert (told["point"]["peak_p50"], told["point"]["peak_p99"]) == (10.0, None)
    assert told["diagnosis"]["evidence"][0]["value"] is None


def test_a_stage_shows_what_was_measured_of_it() -> None:
    one = Quantiles(Value(1.0), Value(2.0), Value(3.0), Value(4.0))
    none = Quantiles(*(Missing("-"),) * 4)
    assert seen(stages={"wait": StageTimes(one, none)})["stages"] == [
        {"name": "wait", "lateness_p99_ms": 3.0, "service_p50_ms": None, "service_p99_ms": None}
    ]


def test_a_knob_shows_its_three_states_and_null_where_one_is_not_known() -> None:
    told = picture(replace(SILENT, states={"period_frames": KnobState(planned=512, observed=256)}))
    states = {"planned": "512", "requested": None, "in_force": "256"}
    assert told["knobs"] == [{"knob": "period_frames", "part": None, **states}]


def test_each_class_of_work_has_a_row_of_its_own() -> None:
    state = KnobState(planned=RAISED, observed=ThreadClasses())
    rows = picture(replace(SILENT, states={"thread_classes": state}))["knobs"]
    assert [row["part"] for row in rows] == ["audio", "analysis", "visualisation", "background"]
    assert rows[0] == {
        "knob": "thread_classes",
        "part": "audio",
        "planned": "realtime 60 ≤ 60%",
        "requested": None,
        "in_force": "normal",
    }


def test_a_class_of_work_that_the_plant_has_not_has_no_row() -> None:
    state = KnobState(planned=RAISED, observed=ThreadClasses())
    tick = replace(SILENT, states={"thread_classes": state})
    rows = picture(tick, {"thread_classes": AUDIO_ALONE})["knobs"]
    assert [row["part"] for row in rows] == ["audio"]


def test_a_decision_tells_why_and_what_was_predicted_at_the_load_of_then() -> None:
    observation = replace(SILENT.observation, load=Value(5.0))
    (told,) = picture(replace(SILENT, observation=observation, changes=(NODES,)))["decisions"]
    assert (told["id"], told["turn"], told["reason"]) == ("7-nodes", "1 → 2", "they queue")
    assert (told["changed"], told["unchanged"], told["verdict"]) == (0.05, 0.15, None)


def test_of_classes_of_work_a_decision_names_those_that_differ() -> None:
    action = replace(NODES.action, knob="thread_classes", value=RAISED)
    change = replace(NODES, action=action, previous=ThreadClasses())
    (told,) = picture(replace(SILENT, changes=(change,)))["decisions"]
    assert told["turn"] == "audio normal → realtime 60 ≤ 60%"


def test_a_verdict_tells_what_was_measured_or_null() -> None:
    expected = Expectation(10.0, 0.1, 0.3)
    found = Verification("7-nodes", "nodes", Verdict.REFUSED, "miss_rate", expected, None, "busy")
    (told,) = picture(replace(SILENT, verifications=(found,)))["verdicts"]
    assert (told["verdict"], told["measured"], told["reason"]) == ("refused", None, "busy")


def test_holds_alarms_and_barred_knobs_are_told_in_their_own_words() -> None:
    hold = Hold("nodes", "at rest", since_s=990.0, alarm=True)
    barred = {"batch_size": "paused"}
    tick = replace(SILENT, holds=(hold,), alarms=("held for 61.5 s",), unavailable=barred)
    told = picture(tick)
    assert told["holds"] == [{"knob": "nodes", "reason": "at rest", "for_s": 10.0, "alarm": True}]
    assert told["alarms"] == [{"time_s": 1000.0, "text": "held for 61.5 s", "kind": "held for # s"}]
    assert told["unavailable"] == {"batch_size": "paused"}
