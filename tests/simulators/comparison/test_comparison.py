"""Several policies on several traces: paired, resumable, and honest about failures."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from controller.errors import OracleFailure, PlugInError
from policies.latency import Calibration, Compute, Residuals
from simulators.comparison.bootstrap import confidence_interval
from simulators.comparison.comparison import compare
from simulators.comparison.figures import JobFigures, OracleJob
from simulators.comparison.manifest import write_manifest
from simulators.comparison.request import Comparison
from simulators.comparison.rows import encoded, read_rows, rows_path, write_rows
from simulators.comparison.summary import summed_up
from simulators.jobs.inline import Inline
from simulators.jobs.job import Ended
from simulators.jobs.processes import Processes
from simulators.loads.generators import generate
from simulators.simulate import simulate
from simulators.simulation import Simulation

TRACES = (generate("burst", 0.25), generate("steps", 0.25))
NODE = Calibration(compute=Compute(per_stream_ms=0.1, residuals=Residuals((1.0,), (1.0,))))
BASE = Simulation("hpa", TRACES[0], calibration=NODE)
BROKEN = """
class Broken:
    name = "broken"
    def decide(self, context, state):
        raise ValueError("no idea")
"""


class Refusing:
    """An executor that is not to be asked."""

    def play(self, jobs, take, progress):
        assert jobs == ()


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    broken = folder / "broken.py"
    broken.write_text(BROKEN)
    policies = ("hpa", "static", f"{broken}:Broken")
    comparison = Comparison(
        policies, TRACES, BASE, (1, 2), cache=folder / "cache", rows=folder / "rows"
    )
    return comparison, compare(comparison, executor=Processes(2))


def test_each_policy_is_held_against_the_same_oracle(compared):
    _, report = compared
    figures = report.policies["hpa"].default
    for trace in TRACES:
        alone = [simulate(replace(BASE, trace=trace, seed=seed)).report for seed in (1, 2)]
        hours = sum(each.node_hours for each in alone) / sum(
            each.oracle.node_hours for each in alone
        )
        assert figures.traces[trace.name].cost_vs_oracle == pytest.approx(hours)
        missed = sum(each.miss_rate * each.blocks.submitted for each in alone)
        assert figures.traces[trace.name].miss_rate == pytest.approx(
            missed / sum(each.blocks.submitted for each in alone)
        )
    assert figures.worst_miss_rate == max(each.miss_rate for each in figures.traces.values())
    assert figures.ci95[0] <= figures.cost_vs_oracle <= figures.ci95[1]


def test_a_policy_that_fails_is_marked_and_the_rest_is_finished(compared):
    comparison, report = compared
    failed = report.policies[comparison.policies[2]]
    assert "no idea" in failed.error
    assert failed.default is None
    assert report.policies["static"].default.cost_vs_oracle is not None


def test_which_knobs_were_turned_is_told(compared):
    _, report = compared
    assert report.policies["hpa"].knobs == ("nodes",)
    assert report.policies["static"].knobs == ()


def test_a_finished_comparison_is_not_played_again(compared):
    comparison, report = compared
    again = compare(replace(comparison, policies=("hpa", "static")), executor=Refusing())
    assert again.policies["static"] == report.policies["static"]


def test_a_policy_that_was_edited_is_played_again(tmp_path):
    file, name = tmp_path / "mine.py", f"{tmp_path / 'mine.py'}:Broken"
    sound = "from policies.proposal import Proposal\n" + BROKEN.replace(
        'raise ValueError("no idea")', "return Proposal(), state"
    )
    comparison = Comparison((name,), TRACES[:1], BASE, cache=tmp_path / "cache")
    file.write_text(sound)
    assert compare(comparison, executor=Inline()).policies[name].error is None
    file.write_text(BROKEN)
    assert "no idea" in compare(comparison, executor=Inline()).policies[name].error
    file.write_text(sound)
    assert compare(comparison, executor=Inline()).policies[name].error is None


@pytest.mark.parametrize(
    ("swept", "says"),
    [
        ('{"no": (1.0,)}', "SWEEP must name arguments"),
        ('{"a": "x"}', "SWEEP must give a list of numbers for a, not 'x'"),
        ('{"a": ("x",)}', "SWEEP must give a list of numbers for a"),
        ('{"a": 1.0}', "SWEEP must give a list of numbers for a, not 1.0"),
    ],
)
def test_a_sweep_of_what_the_constructor_does_not_take_names_the_policy(tmp_path, swept, says):
    file = tmp_path / "mine.py"
    constructor = f"SWEEP = {swept}\n    def __init__(self, a=1.0): pass\n    name = "
    file.write_text(BROKEN.replace("name = ", constructor))
    with pytest.raises(PlugInError, match=says):
        compare(Comparison((f"{file}:Broken",), TRACES[:1], BASE, sweep=True))


def test_a_policy_that_ends_its_process_is_marked_and_the_rest_is_finished(tmp_path):
    file = tmp_path / "leaves.py"
    file.write_text("import os\n" + BROKEN.replace('raise ValueError("no idea")', "os._exit(0)"))
    comparison = Comparison(("static", f"{file}:Broken"), TRACES[:1], BASE)
    report = compare(comparison, executor=Processes(1))
    assert "ended the process" in report.policies[f"{file}:Broken"].error
    assert report.policies["static"].error is None


def test_an_oracle_whose_process_was_ended_is_no_failure_of_a_policy():
    class Ending:
        def play(self, jobs, take, progress):
            take(0, Ended())

    with pytest.raises(OracleFailure, match=r"--trace burst.*fewer --jobs"):
        compare(Comparison(("hpa",), TRACES[:1], BASE), executor=Ending())


def test_rows_of_another_comparison_are_not_kept(compared):
    comparison, _ = compared
    stale = rows_path(comparison.rows, "another", 1, "hpa")
    write_rows(stale, encoded({"time_s": np.zeros(1)}, "another key"))
    own = rows_path(comparison.rows, TRACES[0].name, 1, "hpa")
    compare(comparison, executor=Inline())
    assert own.exists()
    assert not stale.exists()


def test_lines_that_are_no_results_are_done_again(compared, tmp_path):
    comparison, report = compared
    text = '5\nnull\n{"key": "a"}\n{"key": "a", "job": {"policy": "x"}}\n{"key": "abc", "jo'
    (tmp_path / "jobs.jsonl").write_text(text)
    again = replace(comparison, policies=("static",), cache=tmp_path, rows=None)
    assert compare(again, executor=Inline()).policies["static"] == report.policies[
        "static"
    ].model_copy(update={"versus_first": None})
    assert "\n{" in (tmp_path / "jobs.jsonl").read_text().removeprefix(text)


def test_one_that_was_cut_off_goes_on_where_it_was(compared, tmp_path):
    comparison, report = compared
    lines = (comparison.cache / "jobs.jsonl").read_text().splitlines()
    (tmp_path / "jobs.jsonl").write_text("\n".join(lines[:5]) + "\n" + lines[5][:20])
    again = replace(comparison, cache=tmp_path, rows=None)
    assert compare(again, executor=Inline()) == report
    kept = (tmp_path / "jobs.jsonl").read_text()
    assert all(json.loads(line)["key"] in kept for line in lines)


def test_the_rows_add_up_to_the_figures(compared):
    comparison, _ = compared
    rows = read_rows(rows_path(comparison.rows, TRACES[0].name, 1, "hpa"))
    scored = rows["scored"]
    alone = simulate(replace(BASE, seed=1)).report
    assert rows["blocks"][scored].sum() == alone.blocks.submitted
    assert rows["nodes_paid"][scored].sum() * 15.0 / 3600.0 == pytest.approx(alone.node_hours)
    oracle = read_rows(rows_path(comparison.rows, TRACES[0].name, 1, None))
    assert oracle["nodes"].min() >= 1


def test_the_manifest_says_what_the_rows_come_from(compared, tmp_path):
    comparison, _ = compared
    write_manifest(tmp_path, comparison, {"processor": "a machine"})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["traces"][TRACES[0].name]["samples"] == len(TRACES[0].streams)
    assert len(manifest["traces"][TRACES[0].name]["sha256"]) == 64
    assert manifest["seeds"] == [1, 2]
    assert manifest["configuration"]["node_start_s"] == 120.0
    assert manifest["machine"] == {"processor": "a machine"}


def test_a_policy_that_does_not_exist_stops_before_anything_is_played():
    with pytest.raises(PlugInError, match="known"):
        compare(Comparison(("nobody",), TRACES, BASE))


# The arithmetic, on results made up by hand


def job(setting, trace, missed, hours, policy="p"):
    return JobFigures(
        policy=policy, setting=setting, trace=trace, seed=1, knobs=("nodes",),
        blocks=1000, missed=missed, node_hours=hours,
    )  # fmt: skip


ORACLES = [OracleJob(trace=name, seed=1, node_hours=10.0) for name in ("burst", "steps")]
SWEPT = [
    job({}, "burst", 5, 11.0), job({}, "steps", 0, 12.0),
    job({"a": 1.0}, "burst", 0, 16.0), job({"a": 1.0}, "steps", 0, 13.0),
    job({"a": 2.0}, "burst", 1, 14.0), job({"a": 2.0}, "steps", 1, 11.5),
]  # fmt: skip


def summary(jobs, target=0.001, policies=("p",)):
    base = replace(BASE, target_miss_rate=target)
    return summed_up(Comparison(policies, TRACES, base, sweep=True), jobs, ORACLES).policies


def test_the_cheapest_one_setting_keeps_the_target_over_all_traces():
    figures = summary(SWEPT)["p"]
    assert figures.default.miss_rate == 0.0025
    assert figures.default.worst_miss_rate == 0.005
    assert figures.default.cost_vs_oracle == pytest.approx(1.15)
    assert figures.one_setting.setting == {"a": 2.0}
    assert figures.one_setting.cost_vs_oracle == pytest.approx(1.275)
    assert figures.hindsight == {"burst": pytest.approx(1.4), "steps": pytest.approx(1.15)}


def test_what_no_setting_reaches_is_null():
    figures = summary([job({}, "burst", 5, 11.0), job({}, "steps", 5, 12.0)])["p"]
    assert figures.one_setting is None
    assert figures.hindsight == {"burst": None, "steps": None}


def test_a_setting_that_fails_spoils_the_policy_no_more_than_it_must():
    broken = job({"a": 3.0}, "burst", 0, 0.0).model_copy(update={"error": "it raised"})
    figures = summary([*SWEPT, broken])["p"]
    assert figures.error == "it raised"


def test_a_difference_is_taken_trace_by_trace():
    other = [
        each.model_copy(update={"policy": "q", "node_hours": each.node_hours + 1.0})
        for each in SWEPT
    ]
    mean, low, high = summary([*SWEPT, *other], policies=("p", "q"))["q"].versus_first[
        "cost_vs_oracle"
    ]
    assert (mean, low, high) == pytest.approx((0.1, 0.1, 0.1))


def test_a_difference_of_misses_counts_each_trace_by_its_blocks():
    first = [job({}, "burst", 0, 10.0), job({}, "steps", 0, 10.0)]
    other = [job({}, "burst", 10, 10.0, "q"), job({}, "steps", 0, 10.0, "q")]
    other[1] = other[1].model_copy(update={"blocks": 9000})
    figures = summary([*first, *other], policies=("p", "q"))["q"]
    assert figures.default.miss_rate == 0.001
    assert figures.versus_first["miss_rate"][0] == pytest.approx(0.001)


def test_the_interval_widens_where_few_families_say_all():
    values = {f"{family}{k}": float(value) for value, family in enumerate("abc") for k in range(5)}
    low, high = confidence_interval(values)
    assert (low, high) == pytest.approx((0.0, 2.0), abs=0.35)
    alone = {f"{name}": float(k % 3) for k, name in enumerate("abcdefghijklmno")}
    narrow = confidence_interval(alone)
    assert narrow[1] - narrow[0] < high - low
    assert confidence_interval({"a": 1.0}) is None
    assert confidence_interval(dict.fromkeys("abcd", 1.0)) == (1.0, 1.0)
    np.testing.assert_array_equal(confidence_interval(values), confidence_interval(values))


@pytest.mark.live
def test_a_comparison_that_is_killed_leaves_no_worker_behind():
    command = ["compare", "--traces", "diurnal:7d", "--policies", "hpa,static", "--jobs", "2"]
    with subprocess.Popen([sys.executable, "-m", "kapellmeister", *command]) as process:
        workers = _until(lambda: [pid for pid in _children(process.pid) if _computes(pid)])
        process.kill()
    assert _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def _children(pid):
    told = Path(f"/proc/{pid}/task").glob("*/children")  # of each thread its own
    return [child for each in told for child in each.read_text().split()]


def _computes(pid):
    return b"player_process" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _until(true, patience_s=30.0):
    give_up_s = time.monotonic() + patience_s
    while not (found := true()) and time.monotonic() < give_up_s:
        time.sleep(0.1)
    return found
