"""Options of `simulate` and `compare`, before anything is played."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.errors import (
    ConfigurationError,
    NothingToTurnError,
    PlugInError,
    ScenarioError,
    TraceError,
)
from kapellmeister.cli import app
from kapellmeister.commands.options import check_writable
from kapellmeister.experiments.compare import comparison_of
from kapellmeister.experiments.forecast import ForecastOptions, backtest_of
from kapellmeister.experiments.options import CompareOptions, SimulateOptions
from kapellmeister.experiments.simulate import _lasting, simulation_of
from simulators.backtest.backtest import backtest

SLOW = '[[fault]]\nkind = "slow_gpu"\nat = "{at}"\nfor = "20m"\n'


def compared(traces, policies, say=print, **options):
    """The comparison of all of each trace, at the peak that it has."""
    options = {"peak_streams": None, "last_days": None} | options
    return comparison_of(CompareOptions(traces=traces, policies=policies, **options), say=say)


def simulated(trace, policy, **options):
    return simulation_of(SimulateOptions(trace=trace, policy=policy, **options))


def backtested(trace):
    return backtest_of(ForecastOptions(trace, ["last_value"], 10, 20))


def scenario(tmp_path, at):
    path = tmp_path / "faults.toml"
    path.write_text(SLOW.format(at=at))
    return path


def test_a_comparison_is_played_under_the_faults_and_at_the_ticks_that_were_asked_for(tmp_path):
    faults = scenario(tmp_path, "2h")
    made = compared("burst:6h,steps:6h", "hpa", scenario=faults, interval_s=30.0)
    assert [fault.at_s for fault in made.base.faults.faults] == [7200.0]
    assert {each.step_s for each in made.simulations()} == {30.0}


def test_a_fault_must_be_within_one_of_the_traces_at_least(tmp_path):
    faults = scenario(tmp_path, "8h")
    compared("burst:6h,steps:12h", "hpa", scenario=faults)
    with pytest.raises(ScenarioError, match=r"28800 s is not within 0 to 21600 s \(burst:0.25d\)"):
        compared("burst:6h", "hpa", scenario=faults)
    with pytest.raises(ScenarioError, match="28800 s is not within"):
        simulated("burst:6h", "hpa", scenario=faults)


def test_a_policy_that_may_turn_none_of_its_knobs_is_refused():
    with pytest.raises(NothingToTurnError, match="turns nodes, and here only batch_size may be"):
        simulated("ramp:1h", "hpa", knobs=("batch_size",))
    with pytest.raises(NothingToTurnError, match="it turns vram_block_bytes, and here only nodes"):
        simulated("ramp:1h", "senpai")
    simulated("ramp:1h", "senpai", pipeline="full")
    simulated("ramp:1h", "static", knobs=("nodes",))


def summary(monkeypatch, capsys, *options) -> str:
    monkeypatch.setenv("COLUMNS", "100")
    app(["simulate", *options], standalone_mode=False)
    return " ".join(capsys.readouterr().out.split())


def test_the_summary_says_what_it_is_held_against(monkeypatch, capsys):
    told = summary(monkeypatch, capsys, "--trace", "ramp:1h", "--policy", "hpa")
    assert re.search(
        r"cost [\d.]+ node hours, [\d.]+ times the [\d.]+ of an oracle, which knows the load "
        r"beforehand and just meets the target \([\d.]+ with nodes at once\)",
        told,
    )
    assert re.search(
        r"decisions \d+ of nodes; \d+ led away from the nodes that the load then needed", told
    )


def test_a_policy_that_turns_nothing_has_no_decisions(monkeypatch, capsys):
    told = summary(monkeypatch, capsys, "--trace", "steps:2h", "--policy", "static")
    assert "decisions none took" in told


def test_beside_others_a_policy_with_nothing_to_turn_is_worth_a_line_and_is_played():
    said = []
    made = compared("ramp:1h", "hpa,cork,static", knobs=("nodes",), say=said.append)
    assert made.policies == ("hpa", "cork", "static")
    assert [line.partition(": it turns")[0] for line in said] == ["policy cork: nothing to turn"]
    with pytest.raises(NothingToTurnError, match="policy hpa: nothing to turn"):
        compared("ramp:1h", "hpa,knative", knobs=("batch_size",))


def test_the_last_days_are_said_once():
    command = ["compare", "--traces", "ramp:1h", "--quick", "--days", "7"]
    with pytest.raises(ConfigurationError, match="--quick: it says nothing beside --days"):
        app(command, standalone_mode=False)


@pytest.fixture
def gapped(tmp_path, monkeypatch):
    """An hour of which only the first three minutes are known."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "loads"
    folder.mkdir()
    rows = (f"{60 * k},{k + 1 if k < 3 else ''}" for k in range(60))
    (folder / "gapped.csv").write_text("\n".join(rows))
    return "loads/gapped.csv"


def test_a_trace_that_gaps_make_too_short_is_named_as_it_was_given_and_told_of_the_gaps(gapped):
    where = f"--trace {gapped}"
    with pytest.raises(TraceError, match=f"{where}: 180 s of load before the gap at its end are"):
        simulated(gapped, "static", interval_s=60.0).load()
    with pytest.raises(TraceError, match=f"{where}: gaps in its second half leave no reading"):
        backtest(backtested(gapped))
    with pytest.raises(TraceError, match=f"{where}: its test part is all a gap"):
        compared(gapped, "static", part="test")


def test_a_trace_that_is_too_short_by_itself_is_named_as_it_was_given(gapped):
    Path(gapped).write_text("0,1\n60,2\n")
    with pytest.raises(TraceError, match=f"--trace {gapped}: 120 s of load are too short"):
        simulated(gapped, "static", interval_s=60.0).load()
    with pytest.raises(TraceError, match=f"--trace {gapped}: its 2 readings are too few"):
        backtest(backtested(gapped))
    with pytest.raises(TraceError, match="--trace ramp:1h: 3600 s of load are too short"):
        simulated("ramp:1h", "static", interval_s=2000.0).load()


def test_a_constant_out_of_range_is_found_before_anything_is_played():
    with pytest.raises(PlugInError, match="hpa:target=0: target must be at least"):
        compared("ramp:1h", "static,hpa:target=0")
    with pytest.raises(PlugInError, match="hpa:target=0: target must be at least"):
        simulated("ramp:1h", "hpa:target=0")


def test_a_file_that_is_only_checked_is_not_made_and_one_that_is_there_stays(tmp_path):
    new, old = tmp_path / "new.json", tmp_path / "old.json"
    old.write_text("{}")
    check_writable("--json", new)
    check_writable("--json", old)
    assert not new.exists()
    assert old.read_text() == "{}"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (2.0, "2.0 seconds"),
        (90.0, "1.5 minutes"),
        (5400.0, "1.5 hours"),
        (216_000.0, "2.5 days"),
    ],
)
def test_a_length_is_told_in_the_largest_unit_of_which_there_is_one(seconds, said):
    assert _lasting(seconds) == said
