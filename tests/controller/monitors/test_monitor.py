"""A monitor ends with its controller, whatever it waits for."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

WAITS = """
import time
from controller.monitors.monitor import report
def lines():
    yield {}
    time.sleep(60)  # as a library does whose server stands still
report(lines())
"""
CONTROLLER = f"""
import subprocess, sys, time
monitor = subprocess.Popen((sys.executable, "-c", {WAITS!r}), stdout=subprocess.PIPE)
monitor.stdout.readline()
print(monitor.pid, flush=True)
time.sleep(60)
"""


def test_a_monitor_that_waits_for_its_server_dies_with_a_controller_that_is_killed() -> None:
    controller = subprocess.Popen(
        (sys.executable, "-c", CONTROLLER),
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert controller.stdout is not None
    with controller, controller.stdout:
        monitor = int(controller.stdout.readline())
        controller.send_signal(signal.SIGKILL)
    give_up_s = time.monotonic() + 5.0
    while lives(monitor):
        assert time.monotonic() < give_up_s, "the monitor lives on"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
