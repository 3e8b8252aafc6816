"""A recorded load, played again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from fakes import Rig, Scripted

from controller.errors import JournalError, TraceError
from controller.journal.journal import Journal
from policies.observation import Missing, Value
from simulators.loads.generators import find_trace
from simulators.simulate import simulate
from simulators.simulation import Simulation


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def recorded(path: Path, *loads: float | None) -> None:
    with Journal.open(path) as journal:
        journal.start_run("fake", "scripted", "{}")
        rig = Rig(Scripted())
        for load in loads:
            rig.plant.load = Missing("the exporter is down") if load is None else Value(load)
            journal.record(rig.tick(), rig.loop.saved)


def test_the_load_of_the_latest_run_comes_back_with_its_gaps(path):
    recorded(path, 5.0, 6.0)
    recorded(path, 10.0, None, 30.0)
    trace = find_trace(str(path))
    assert trace.streams == (10.0, None, 30.0)
    assert trace.time_s == (0.0, 1.0, 2.0)
    assert find_trace(f"{path}:1").streams == (5.0, 6.0)


def test_a_recorded_load_can_be_simulated(path):
    recorded(path, *(100.0 + 3 * k for k in range(40)))
    report = simulate(Simulation("hpa", find_trace(str(path)), level="batch")).report
    assert report.blocks.submitted > 0
    assert report.trace == "journal.sqlite3:1"


def test_a_run_that_knew_no_load_says_so(path):
    recorded(path, None, None)
    with pytest.raises(TraceError, match="run 1 recorded no load"):
        find_trace(str(path))


def test_a_run_that_is_not_there_is_named(path):
    recorded(path, 5.0)
    with pytest.raises(JournalError, match="there is no run 7"):
        find_trace(f"{path}:7")


def test_another_database_is_no_journal(tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (a)")
    with pytest.raises(JournalError, match=r"other\.db"):
        find_trace(str(other))
