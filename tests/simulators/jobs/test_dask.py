"""Jobs on real Dask clusters: the same results, and what is done when a part of one is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from counting_jobs import Doubling, Lasting, Leaving, Masked, Raising, Taken

from controller.errors import DaskError, JobError
from simulators.comparison.comparison import compare
from simulators.comparison.request import Comparison
from simulators.jobs.dask import client
from simulators.jobs.dask.executor import DaskCluster, LocalDaskCluster
from simulators.jobs.job import Ended
from simulators.jobs.processes import Processes
from simulators.loads.generators import generate
from simulators.simulation import Simulation

pytestmark = pytest.mark.dask
TRACES = generate("burst", 0.25), generate("steps", 0.25)
KAPELLMEISTER = (sys.executable, "-m", "kapellmeister")


@pytest.fixture(scope="module")
def farm():
    """Address of a scheduler with two workers, each a process that a nanny replaces."""
    distributed = pytest.importorskip("distributed")
    kept = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0}
    with distributed.LocalCluster(**kept, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def started():
    """Starts programs, and ends them afterwards."""
    processes = []

    def start(*command, **given):
        process = subprocess.Popen(command, **given)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def executors(farm):
    return DaskCluster(farm), LocalDaskCluster(2)


def test_jobs_are_played_by_workers_as_they_are_by_processes(farm):
    for executor in executors(farm):
        taken = Taken().of(executor, Doubling(1), Leaving(), Doubling(2), Masked())
        assert taken == {0: 2, 1: Ended(), 2: 4, 3: (True, "1", True)}
        assert taken.told == [0.25, 0.5, 0.75, 1.0]
        with pytest.raises(JobError, match="nothing there"):
            Taken().of(executor, Raising())


def test_a_comparison_is_the_same_to_the_byte_and_goes_on_without_the_cluster(farm, tmp_path):
    base = Simulation("hpa", TRACES[0])
    here, there = (
        Comparison(("hpa", "static"), TRACES, base, cache=tmp_path / each, rows=tmp_path / each)
        for each in ("here", "there")
    )
    report = compare(here, executor=Processes(2))
    assert compare(there, executor=DaskCluster(farm)).model_dump_json() == report.model_dump_json()
    assert kept(here.cache) == kept(there.cache)
    gone = replace(there, policies=("static",))
    assert compare(gone, executor=DaskCluster("tcp://127.0.0.1:1")).traces == report.traces


def kept(folder: Path) -> dict[str, object]:
    rows = {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("**/*.parquet")
    }
    return rows | {"jobs": sorted((folder / "jobs.jsonl").read_text().splitlines())}


def test_a_forecast_is_the_same_but_for_what_it_took(tmp_path):
    command = (*KAPELLMEISTER, "forecast", "--trace", "diurnal:12h", "--origins", "3")
    models = ("--models", "ridge,kalman")
    said = {}
    for name, dask in (("here", ()), ("there", ("--dask", "local"))):
        file = tmp_path / name
        done = subprocess.run(
            [*command, *models, *dask, "--json", file], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        lines = file.read_text().splitlines()
        said[name] = [line for line in lines if not line.strip().startswith(TIMES)]
    assert said["here"] == said["there"]


TIMES = ('"fit_s"', '"predict_ms"', '"cpu_ms"')


def test_the_job_of_a_worker_that_is_killed_is_played_again(farm, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(Taken().of, DaskCluster(farm), Lasting(tmp_path))
        (first,) = until(lambda: written(tmp_path))
        os.kill(int(first.read_text()), signal.SIGKILL)
        second = until(lambda: [each for each in written(tmp_path) if each != first])[0]
        (tmp_path / "door").touch()
        assert playing.result(30) == {0: int(second.name)}
    assert until(lambda: not alive(first.name))


def written(folder):
    return [each for each in folder.iterdir() if each.read_text()]


def test_a_scheduler_that_is_lost_ends_it_in_a_line(started, tmp_path):
    file, jobs = tmp_path / "scheduler.json", tmp_path / "jobs"
    jobs.mkdir()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet["env"] = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}  # for the job's class
    common = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file))
    scheduler = started(*dask("dask_scheduler"), "--port", "0", *common, **quiet)
    assert until(lambda: file.exists() and file.read_text())
    address = json.loads(file.read_text())["address"]
    started(*dask("dask_worker"), "--no-nanny", "--nthreads", "1", *common, **quiet)
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(Taken().of, DaskCluster(address), Lasting(jobs))
        assert until(lambda: written(jobs))
        scheduler.kill()
        with pytest.raises(DaskError, match="a job was lost"):
            playing.result(60)


def dask(program):
    return sys.executable, "-m", f"distributed.cli.{program}"


def test_what_cannot_give_the_same_results_is_refused_before_a_job_is_played(farm, monkeypatch):
    monkeypatch.setattr(client, "versions", lambda: (("numpy", "0.1"),))
    with pytest.raises(DaskError, match=r"numpy is 0\.1 here and 2.* on tcp://.*install the same"):
        Taken().of(DaskCluster(farm), Doubling(1))


def test_a_package_that_no_worker_has_is_none_there(farm, monkeypatch):
    monkeypatch.setattr(client, "versions", lambda: (("no-such-package", "1.0"),))
    with pytest.raises(DaskError, match=r"no-such-package is 1\.0 here and none on"):
        Taken().of(DaskCluster(farm), Doubling(1))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nobody", "x://y"])
def test_a_scheduler_that_cannot_be_reached_is_a_line(address):
    command = ("compare", "--traces", "ramp:1h", "--policies", "hpa", "--dask", address)
    done = subprocess.run([*KAPELLMEISTER, *command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"kapellmeister: --dask {address}: no scheduler answers")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("place", ["local", "farm"])
def test_ctrl_c_ends_in_a_line_and_leaves_no_player(farm, started, place):
    before = players()
    address = farm if place == "farm" else place
    command = ("compare", "--traces", "diurnal:7d", "--policies", "hpa,static", "--dask", address)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = started(*KAPELLMEISTER, *command, **pipes)
    assert until(lambda: players() - before)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "kapellmeister: interrupted; nothing is kept without --resume DIR\n"
    assert until(lambda: not players() - before)


def players():
    return {path.parent.name for path in Path("/proc").glob("[0-9]*/comm") if name(path)}


def name(path):
    try:
        return path.read_text() == "kapell-player\n"
    except OSError:
        return False


def alive(pid):
    return Path(f"/proc/{pid}").exists()


def until(true, patience_s=60.0):
    give_up_s = time.monotonic() + patience_s
    while not (found := true()) and time.monotonic() < give_up_s:
        threading.Event().wait(0.05)
    return found
