"""Fits in a process of their own: real processes, which end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller import plugins
from controller.forecasting.fit_process import FitProcess
from controller.forecasting.forecaster import FitTask

pytestmark = pytest.mark.live


def task(function, *arguments):
    return FitTask("level", function, arguments)


def outcome(fits, wanted):
    """Run one task to its end; 30 s at most."""
    fits.start(wanted)
    give_up_s = time.monotonic() + 30.0
    while time.monotonic() < give_up_s:
        ended = fits.outcome()
        if ended is not None:
            return ended
        time.sleep(0.01)
    raise AssertionError("the fit never ended")


def is_running(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.fixture
def fits():
    with FitProcess(budget_s=5.0) as process:
        yield process


def test_a_task_runs_in_one_process_of_low_priority_that_stays(fits):
    first = outcome(fits, task(os.getpid)).result
    assert first != os.getpid()
    assert outcome(fits, task(os.getpid)).result == first
    assert outcome(fits, task(os.getpriority, os.PRIO_PROCESS, 0)).result == 10


def test_what_a_fit_raises_is_told(fits):
    assert "ValueError" in outcome(fits, task(int, "one")).error


def test_what_cannot_be_handed_on_is_told(fits):
    assert "cannot be handed on" in outcome(fits, task(lambda: 1)).error


def test_a_fit_beyond_its_budget_is_killed_and_the_next_has_a_new_process():
    with FitProcess(budget_s=1.0) as fits:
        first = outcome(fits, task(os.getpid)).result
        assert outcome(fits, task(time.sleep, 60.0)).error == "took longer than 1 s"
        assert not is_running(first)
        second = outcome(fits, task(os.getpid)).result
        assert second != first


def test_what_fits_cost_is_told_also_of_a_process_that_was_ended(fits):
    outcome(fits, task(sum, range(10_000_000)))
    used_s = fits.cpu_s
    assert used_s > 0.0
    fits.close()
    assert fits.cpu_s >= used_s


def test_a_process_that_dies_is_told_and_replaced(fits):
    assert "lost its process" in outcome(fits, task(os.abort)).error
    assert outcome(fits, task(max, 1, 2)).result == 2


def test_nothing_is_left_running_whatever_it_was_doing():
    fits = FitProcess(budget_s=60.0)
    pid = outcome(fits, task(os.getpid)).result
    fits.start(task(time.sleep, 60.0))
    started_s = time.monotonic()
    fits.close()
    assert time.monotonic() - started_s < 5.0
    assert not is_running(pid)


def test_the_process_dies_with_its_parent():
    code = """
import os, signal, sys, time
from controller.forecasting.fit_process import FitProcess
from controller.forecasting.forecaster import FitTask
fits = FitProcess()
fits.start(FitTask("level", os.getpid, ()))
while (ended := fits.outcome()) is None:
    time.sleep(0.01)
fits.start(FitTask("level", time.sleep, (60.0,)))
print(ended.result, flush=True)
time.sleep(0.2)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    pid = int(done.stdout)
    give_up_s = time.monotonic() + 5.0
    while is_running(pid) and time.monotonic() < give_up_s:
        time.sleep(0.01)
    assert not is_running(pid)


def test_a_forecaster_in_a_file_of_its_own_is_fitted_too(tmp_path, fits):
    file = tmp_path / "own_law.py"
    file.write_text("def double(value):\n    return 2 * value\n", encoding="utf-8")
    double = plugins.load_file(str(file)).double
    assert outcome(fits, task(double, 21)).result == 42
