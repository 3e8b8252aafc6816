"""Policies on a plant in numbers: the very loop that runs live, and figures that hold together."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from controller.errors import KnobError, PlugInError, PolicyFailure
from controller.load.trace import LoadTrace
from policies.latency import Calibration, Link, Post, Transfer
from policies.observation import Missing, fresh
from policies.proposal import Proposal
from simulators.loads.generators import generate
from simulators.plant.faults import KINDS, Fault, Schedule
from simulators.run import make_plant, run
from simulators.simulate import simulate
from simulators.simulation import Simulation, check_names

DAY = generate("diurnal", 0.5)
QUARTER = generate("diurnal", 0.25)
FULL = Calibration(transfer=Transfer(), post=Post(), link=Link())
WRITTEN = """
from policies.proposal import Proposal
class Mine:
    name = "mine"
    looks_back_s = 0.0
    def decide(self, context, state):
        {body}
"""


def written(tmp_path, body, monkeypatch=None):
    path = tmp_path / "mine.py"
    path.write_text(WRITTEN.format(body=body))
    return f"{path}:Mine"


@pytest.mark.parametrize("policy", ["static", "hpa", "conductor"])
def test_the_figures_hold_together(policy):
    report = simulate(Simulation(policy, QUARTER)).report
    blocks = report.blocks
    assert blocks.submitted == blocks.on_time + blocks.late + blocks.concealed + blocks.lost > 0
    assert report.miss_rate == (blocks.late + blocks.concealed + blocks.lost) / blocks.submitted
    assert report.simulated_s == pytest.approx(0.75 * 21_600)
    assert report.cost == report.node_hours > 0
    assert report.cost_vs_oracle == pytest.approx(report.node_hours / report.oracle.node_hours)
    assert report.oracle_instant.node_hours <= report.oracle.node_hours * 1.2
    assert (report.decisions == 0) == (policy == "static") == (report.knobs == ())


@pytest.mark.parametrize("policy", ["hpa", "conductor"])
def test_twice_the_same_is_the_same_to_the_byte(policy):
    one, two = (
        simulate(
            Simulation(
                policy, generate("burst", 0.1), faults=Schedule((Fault("node_death", 5000.0),))
            )
        ).report
        for _ in range(2)
    )
    without = {"wall_s"}
    assert one.model_dump_json(exclude=without) == two.model_dump_json(exclude=without)


@pytest.mark.parametrize("level", ["batch", "block"])
def test_the_exact_levels_agree_with_the_closed_form(level):
    trace = LoadTrace("flat", tuple(60.0 * k for k in range(20)), (180.0,) * 20)
    quick = simulate(Simulation("static", trace, level="interval", interval_s=5.0)).report
    exact = simulate(Simulation("static", trace, level=level, interval_s=5.0)).report
    assert exact.latency_ms.p50 == pytest.approx(quick.latency_ms.p50, rel=0.05)
    assert exact.latency_ms.p99 == pytest.approx(quick.latency_ms.p99, rel=0.05)
    assert exact.node_hours == quick.node_hours
    assert exact.blocks.submitted == quick.blocks.submitted


def test_a_static_plant_too_small_misses_and_who_scales_does_not():
    static, hpa = (
        simulate(Simulation(each, generate("ramp", 1.0))).report for each in ("static", "hpa")
    )
    assert static.miss_rate > 0.2 > 0.01 > hpa.miss_rate
    assert static.knobs == ()
    assert hpa.knobs == ("nodes",)


def test_without_a_model_a_policy_learns_what_nodes_carry_and_pays_for_its_reserve(tmp_path):
    known, unknown = (
        simulate(Simulation("conductor", QUARTER, knobs=("nodes",), modelled=told)).report
        for told in (True, False)
    )
    assert unknown.miss_rate < 0.002
    assert known.cost_vs_oracle < unknown.cost_vs_oracle < 1.5
    body = "return Proposal(reason=str(1 / (context.latency is None))), state"
    simulate(Simulation(written(tmp_path, body), QUARTER, modelled=False))


def test_only_the_knobs_that_were_given_are_turned():
    shares = Simulation("conductor", generate("burst", 0.1), knobs=("batch_size",))
    assert set(simulate(shares).report.knobs) <= {"batch_size"}
    with pytest.raises(KnobError, match=r"this pipeline has nodes, batch_size$"):
        check_names(replace(shares, knobs=("vram_block_bytes",)))
    check_names(replace(shares, knobs=("vram_block_bytes",), calibration=FULL))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("raise ValueError('no idea')", "no idea"),
        ("return None", "mine"),
        ("return Proposal(), {'a': float('nan')}", "mine"),
        ("return Proposal((1,)), None", "mine"),
    ],
)
def test_a_policy_that_fails_is_named_with_what_it_did(tmp_path, body, says):
    with pytest.raises(PolicyFailure, match=says):
        simulate(Simulation(written(tmp_path, body), DAY))


@pytest.mark.parametrize(
    "never",
    [
        "while True: pass",
        "while True:\n            try: 1 + 1\n            except Exception: pass",
        "while True:\n            try: 1 + 1\n            except: pass",
    ],
)
def test_a_policy_that_never_returns_is_broken_off(tmp_path, monkeypatch, never):
    monkeypatch.setattr("simulators.time_box.LONGEST_DECISION_S", 0.1)
    with pytest.raises(PolicyFailure, match="took longer"):
        simulate(Simulation(written(tmp_path, "\n        " + never), DAY))


def test_a_policy_whose_constructor_never_returns_is_broken_off(tmp_path, monkeypatch):
    monkeypatch.setattr("simulators.time_box.LONGEST_DECISION_S", 0.1)
    policy = written(
        tmp_path, "return Proposal(), state\n    def __init__(self):\n        while True: pass"
    )
    with pytest.raises(PlugInError, match="took longer"):
        simulate(Simulation(policy, DAY))


def test_a_policy_that_does_not_exist_names_those_that_do():
    with pytest.raises(PlugInError, match="target_tracking"):
        simulate(Simulation("hpaa", DAY))


@lru_cache
def undisturbed():
    return simulate(Simulation("hpa", QUARTER, calibration=FULL)).report


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_is_survived_and_counted(kind):
    fault = Fault(kind, 0.5 * QUARTER.duration_s, 3600.0, KINDS[kind].amount)
    simulation = Simulation("hpa", QUARTER, calibration=FULL, faults=Schedule((fault,)))
    report, calm = simulate(simulation).report, undisturbed()
    harmful = {
        "gpu_out_of_memory",
        "slow_gpu",
        "link_loss",
        "node_death",
        "noisy_neighbour",
        "link_slow",
    }
    if kind in harmful - {"gpu_out_of_memory"}:
        assert report.blocks.late + report.blocks.lost > calm.blocks.late + calm.blocks.lost
    assert report.blocks.submitted == calm.blocks.submitted


def test_a_dead_only_node_loses_all_its_blocks_until_another_has_started():
    trace = LoadTrace("flat", tuple(60.0 * k for k in range(40)), (50.0,) * 40)
    simulation = Simulation("static", trace, faults=Schedule((Fault("node_death", 1800.0),)))
    timeline = run(simulation, simulation.load())
    rows = timeline.rows()
    dead = rows["nodes_ready"] == 0
    assert dead.sum() * 15.0 == 120.0
    assert (rows["missed"][dead] == rows["blocks"][dead]).all()


def test_a_restarted_controller_goes_on_where_it_was():
    simulation = Simulation("hpa", DAY)
    restarts = Schedule(
        (Fault("controller_restart", 50_000.0, 1.0), Fault("controller_restart", 60_000.0, 1.0))
    )
    calm, torn = (
        simulate(replace(simulation, faults=each)).report for each in (Schedule(), restarts)
    )
    assert calm.node_hours == torn.node_hours
    assert calm.blocks == torn.blocks


def test_reports_come_late_or_not_at_all():
    trace = LoadTrace(
        "rise", tuple(60.0 * k for k in range(60)), tuple(10.0 * k for k in range(60))
    )
    simulation = Simulation("static", trace, telemetry_delay=3, telemetry_loss=0.25)
    load = simulation.load()
    plant = make_plant(simulation, load)
    seen = [plant.observe() for _ in range(load.streams.size)]
    lost = [each for each in seen if isinstance(each.load, Missing)]
    assert 0.15 < len(lost) / len(seen) < 0.35
    told = [(k, fresh(each.load)) for k, each in enumerate(seen) if fresh(each.load) is not None]
    assert all(value == load.streams[k - 3] for k, value in told if k >= 3)


def test_nodes_take_their_time_and_cost_from_their_request():
    simulation = Simulation("hpa", generate("steps", 1.0), node_start_s=600.0)
    rows = run(simulation, simulation.load()).rows()
    grown = np.flatnonzero(np.diff(rows["nodes_paid"]) > 0)
    assert grown.size
    first = grown[0] + 1
    assert rows["nodes_ready"][first] < rows["nodes_paid"][first]
    assert (rows["nodes_paid"] >= rows["nodes_ready"]).all()


def test_gaps_are_not_scored():
    values = list(DAY.streams)
    values[500:600] = [None] * 100
    report = simulate(Simulation("hpa", LoadTrace("gappy", DAY.time_s, tuple(values)))).report
    assert report.simulated_s == pytest.approx(0.75 * 43_200 - 100 * 60, abs=30)
    assert report.gaps_s == pytest.approx(100 * 60, abs=30)


def test_the_load_of_a_law_with_a_short_memory_warms_up_for_hours_only():
    short, long = (
        Simulation(each, generate("diurnal", 10.0), last_days=2.0).load()
        for each in ("hpa", "rolling_quantile")
    )
    assert short.warm_up_steps * 15.0 == 7200.0
    assert long.warm_up_steps > 10 * short.warm_up_steps
    np.testing.assert_array_equal(short.streams, long.streams[-short.streams.size :])
    assert short.time_s[-1] == long.time_s[-1]


def test_a_report_is_plain_json_without_a_nan():
    def refuse(constant):
        raise AssertionError(constant)

    text = simulate(Simulation("static", DAY)).report.model_dump_json()
    assert math.isfinite(json.loads(text, parse_constant=refuse)["cost"])


def test_nothing_is_proposed_by_a_policy_that_only_looks(tmp_path):
    body = "return Proposal(reason=str(context.observation.load)), state"
    report = simulate(Simulation(written(tmp_path, body), DAY)).report
    assert report.decisions == 0
    assert isinstance(Proposal(), Proposal)
