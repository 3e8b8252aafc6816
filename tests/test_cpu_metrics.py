from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.metrics.cpu import CLOCK_TICKS_PER_S, MachineSensor, ProcessSensor, ThreadSensor
from policies.observation import Invalid, Missing, Value


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


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def test_the_first_reading_of_a_share_is_missing(kernel: FakeKernel) -> None:
    kernel.write("stat", "cpu  10 0 10 80 0 0 0 0 0 0\n")
    kernel.pressure(0)
    readings = MachineSensor(kernel.proc, kernel.now_s).read()
    shares = ("utilisation", "steal_share", "pressure_some_share")
    assert {readings[f"cpu.{name}"] for name in shares} == {Missing("first reading")}


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
    assert sensor.read()["cpu.pressure_some_share"] == Value(0.25)


def test_a_kernel_without_pressure_figures_gives_a_missing_reading(kernel: FakeKernel) -> None:
    found = MachineSensor(kernel.proc, kernel.now_s).read()["cpu.pressure_some_share"]
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


def test_a_stat_file_of_another_form_is_missing_and_says_which(kernel: FakeKernel) -> None:
    kernel.write("stat", "cpu\n")
    assert MachineSensor(kernel.proc, kernel.now_s).read()["cpu.utilisation"] == Missing(
        f"{kernel.proc}/stat: says 'cpu'"
    )


def test_the_busiest_and_the_most_delayed_audio_thread_are_reported(kernel: FakeKernel) -> None:
    sensor = ThreadSensor(kernel.proc, kernel.now_s)
    kernel.write("7/schedstat", "0 0 1\n")
    kernel.write("8/schedstat", "0 0 1\n")
    assert sensor.read([7, 8])["audio.utilisation"] == Missing("first reading")
    kernel.time_s += 1.0
    kernel.write("7/schedstat", "500000000 100000000 9\n")
    kernel.write("8/schedstat", "200000000 250000000 9\n")
    assert sensor.read([7, 8]) == {
        "audio.utilisation": Value(0.5),
        "audio.run_delay_share": Value(0.25),
    }


def test_a_process_that_is_new_counts_only_from_its_second_reading(kernel: FakeKernel) -> None:
    sensor = ThreadSensor(kernel.proc, kernel.now_s)
    kernel.write("7/schedstat", "0 0 1\n")
    sensor.read([7])
    kernel.time_s += 1.0
    kernel.write("7/schedstat", "100000000 0 1\n")
    kernel.write("8/schedstat", "900000000 0 1\n")
    assert sensor.read([7, 8])["audio.utilisation"] == Value(0.1)
    assert sensor.read([8])["audio.utilisation"] == Missing(
        "no time has passed since the last reading"
    )


def test_a_process_that_has_ended_is_passed_over(kernel: FakeKernel) -> None:
    sensor = ThreadSensor(kernel.proc, kernel.now_s)
    kernel.write("7/schedstat", "0 0 1\n")
    kernel.write("8/schedstat", "0 0 1\n")
    sensor.read([7, 8])
    kernel.time_s += 1.0
    kernel.write("7/schedstat", "300000000 0 1\n")
    (kernel.proc / "8" / "schedstat").unlink()
    assert sensor.read([7, 8])["audio.utilisation"] == Value(0.3)


def test_a_kernel_without_schedstat_gives_missing_readings_that_name_the_file(
    kernel: FakeKernel,
) -> None:
    found = ThreadSensor(kernel.proc, kernel.now_s).read([7])["audio.run_delay_share"]
    assert found == Missing(f"{kernel.proc}/7/schedstat: No such file or directory")


def test_no_audio_process_is_a_missing_reading(kernel: FakeKernel) -> None:
    sensor = ThreadSensor(kernel.proc, kernel.now_s)
    assert sensor.read([])["audio.utilisation"] == Missing("no audio process is running")


def test_the_cost_of_a_process_is_its_processor_time_and_its_memory(kernel: FakeKernel) -> None:
    kernel.write("7/stat", "7 (a) b) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 500\n")
    kernel.write("7/status", "Name:\ta) b\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n")
    assert ProcessSensor(7, kernel.proc).read() == {
        "process.cpu_s": Value(200 / CLOCK_TICKS_PER_S),
        "process.rss_mib": Value(100.0),
        "process.peak_rss_mib": Value(200.0),
    }


def test_a_process_that_is_gone_costs_an_unknown_amount_rather_than_nothing(
    kernel: FakeKernel,
) -> None:
    readings = ProcessSensor(7, kernel.proc).read().values()
    assert all(isinstance(each, Missing) for each in readings)


def test_the_real_kernel_is_understood() -> None:
    ourselves = ProcessSensor(os.getpid()).read()
    assert all(isinstance(each, Value) for each in ourselves.values())
    machine = MachineSensor()
    assert machine.read()["cpu.utilisation"] == Missing("first reading")
    threads = ThreadSensor()
    assert threads.read([os.getpid()])["audio.utilisation"] == Missing("first reading")
    assert isinstance(threads.read([os.getpid()])["audio.utilisation"], Value)
