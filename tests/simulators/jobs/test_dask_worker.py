"""The part that runs in a Dask worker, called without one."""

from __future__ import annotations

import pickle

import pytest
from counting_jobs import Doubling

from controller.errors import JobError
from simulators.jobs.dask import worker
from simulators.jobs.dask.environment import Environment
from simulators.jobs.job import Ended
from simulators.jobs.outcome import unpacked


def played(session, environment, job):
    return unpacked(worker.play(session, environment, pickle.dumps(job)))


def test_a_job_is_played_where_all_is_the_same_and_not_once_its_session_is_over(tmp_path):
    plug_in = tmp_path / "mine.py"
    plug_in.write_text("a = 1\n")
    here = Environment.here([str(plug_in)])
    assert played("one", here, Doubling(2)) == 4
    worker.end("one")
    assert played("one", here, Doubling(2)) == Ended()


def test_a_file_that_is_another_on_the_worker_is_named(tmp_path):
    plug_in = tmp_path / "mine.py"
    plug_in.write_text("a = 1\n")
    here = Environment.here([str(plug_in)])
    plug_in.write_text("a = 2\n")
    with pytest.raises(JobError, match=r"mine\.py is not the same file on .*: have the same"):
        played("two", here, Doubling(2))


def test_a_version_that_is_another_on_the_worker_is_named():
    here = Environment.here([])
    others = tuple((name, "0.1" if name == "numpy" else own) for name, own in here.versions)
    with pytest.raises(JobError, match=r"numpy is 0\.1 here and 2"):
        played("three", Environment(others, ()), Doubling(2))


def test_players_that_nobody_asks_for_a_while_end_and_come_again_when_asked(monkeypatch):
    monkeypatch.setattr(worker, "IDLE_S", 0.0)
    session = worker.Session()
    assert unpacked(session.play(pickle.dumps(Doubling(1)))) == 2
    first = session.players
    session.timer.join(5.0)
    assert session.players is not first
    assert unpacked(session.play(pickle.dumps(Doubling(2)))) == 4
    session.end()
