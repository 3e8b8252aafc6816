from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.metrics.cpu import MachineSensor, ProcessSensor, ThreadSensor
from policies.observation import Invalid, Missing, Value

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class FakeKernel:
    """A /proc in a folder, and a clock that stands until it is moved."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.time_s = 100.0

    def now_s(self) -> float:
        return self.time_s

    def write(self, path: str, text: str) -> None:
        file = self.proc / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")

    def pressure(self, total_us: int) -> None:
        self.write("pressure/cpu", f"some avg10=0.00 avg60=0.00 avg300=0.00 total={total_us}\n")

    def process(self, pid: int, user: int, system: int, pages: int) -> None:
        rest = "S 1 1 1 0 -1 0 0 0 0 0"
        self.write(f"{pid}/stat", f"{pid} (a) b) {rest} {user} {system} 0 0 20 0 1 0 500\n")
        self.write(f"{pid}/statm", f"9999 {pages} 0 0 0 0 0\n")


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def test_the_first_reading_of_a_share_is_missing(kernel: FakeKernel) -> None:
    kernel.write("stat", "cpu  10 0 10 80 0 0 0 0 0 0\n")
    kernel.pressure(0)
    readings = MachineSensor(kernel.proc, kernel.now_s).read()
    assert set(readings.values()) == {Missing("first reading")}


def test_utilisation_leaves_out_idle_waiting_and_stolen_time(kernel: FakeKernel) -> None:
    sensor = MachineSensor(kernel.proc, kernel.now_s)
    kernel.write("stat", "cpu  100 0 100 800 0 0 0 0 0 0\n")
    sensor.read()
    kernel.write("stat", "cpu  130 0 110 840 10 0 0 10 0 0\n")
    readings = sensor.read()
    assert readings["cpu.utilisation"] == Value(0.4)
    assert readings["cpu.steal_share"] == Value(0.1)


def test_pressure_is_the_stalled_share_of_wall_time(kernel: FakeKernel) -> None:
    sensor = MachineSensor(kernel.proc, kernel.now_s)
    kernel.pressure(1_000_000)
    sensor.read()
    kernel.time_s += 2.0
    kernel.pressure(1_500_000)
    assert sensor.read()["cpu.pressure_share"] == Value(0.25)


def test_a_kernel_without_pressure_figures_gives_a_missing_reading(kernel: FakeKernel) -> None:
    found = MachineSensor(kernel.proc, kernel.now_s).read()["cpu.pressure_share"]
    assert isinstance(found, Missing)
    assert "No such file" in found.reason


def test_two_readings_at_one_instant_give_no_share(kernel: FakeKernel) -> None:
    sensor = MachineSensor(kernel.proc, kernel.now_s)
    kernel.write("stat", "cpu  100 0 100 800 0 0 0 0 0 0\n")
    sensor.read()
    no_time = Missing("no time has passed since the last reading")
    assert sensor.read()["cpu.utilisation"] == no_time


def test_a_counter_that_ran_backwards_is_invalid(kernel: FakeKernel) -> None:
    sensor = MachineSensor(kernel.proc, kernel.now_s)
    kernel.write("stat", "cpu  100 0 100 800 0 0 0 20 0 0\n")
    sensor.read()
    kernel.write("stat", "cpu  200 0 100 800 0 0 0 10 0 0\n")
    assert isinstance(sensor.read()["cpu.steal_share"], Invalid)


def test_the_busiest_and_the_most_delayed_thread_are_reported(kernel: FakeKernel) -> None:
    sensor = ThreadSensor(kernel.proc, kernel.now_s)
    kernel.write("7/task/7/schedstat", "0 0 1\n")
    kernel.write("7/task/8/schedstat", "0 0 1\n")
    assert sensor.read([7])["audio.cpu_share"] == Missing("first reading")
    kernel.time_s += 1.0
    kernel.write("7/task/7/schedstat", "500000000 100000000 9\n")
    kernel.write("7/task/8/schedstat", "200000000 250000000 9\n")
    readings = sensor.read([7])
    assert readings["audio.cpu_share"] == Value(0.5)
    assert readings["audio.run_delay_share"] == Value(0.25)


def test_a_thread_that_is_new_or_ended_counts_for_nothing_yet(kernel: FakeKernel) -> None:
    sensor = ThreadSensor(kernel.proc, kernel.now_s)
    kernel.write("7/task/7/schedstat", "0 0 1\n")
    sensor.read([7])
    kernel.time_s += 1.0
    kernel.write("8/task/8/schedstat", "900000000 0 1\n")
    assert sensor.read([8])["audio.cpu_share"] == Missing("first reading")


def test_a_process_that_is_gone_has_missing_figures(kernel: FakeKernel) -> None:
    sensor = ThreadSensor(kernel.proc, kernel.now_s)
    sensor.read([7])
    kernel.time_s += 1.0
    assert sensor.read([7])["audio.cpu_share"] == Missing("no thread has schedstat figures")


def test_the_cost_of_control_adds_up_over_its_processes(kernel: FakeKernel) -> None:
    sensor = ProcessSensor(kernel.proc, kernel.now_s)
    kernel.process(7, user=100, system=0, pages=10)
    kernel.process(8, user=50, system=0, pages=5)
    sensor.read([7, 8])
    kernel.time_s += 10.0
    kernel.process(7, user=106, system=2, pages=10)
    kernel.process(8, user=52, system=0, pages=5)
    readings = sensor.read([7, 8])
    assert readings["control.cpu_share"] == Value(0.01)
    assert readings["control.rss_bytes"] == Value(15.0 * PAGE_BYTES)


def test_the_real_kernel_is_understood() -> None:
    sensor = ProcessSensor()
    sensor.read([os.getpid()])
    assert isinstance(sensor.read([os.getpid()])["control.rss_bytes"], Value)
    machine = MachineSensor()
    assert machine.read()["cpu.utilisation"] == Missing("first reading")
