from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from controller.linux import kernel_files
from controller.sensors.cpu import CLOCK_TICKS_PER_S, MachineSensor, ProcessSensor, ThreadSensor
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

    def frequency(self, processor: int, now: str, highest: str) -> None:
        folder = f"frequencies/cpu{processor}/cpufreq"
        self.write(f"{folder}/scaling_cur_freq", now)
        self.write(f"{folder}/cpuinfo_max_freq", highest)

    def frequencies(self) -> MachineSensor:
        return MachineSensor(self.proc, self.now_s, self.proc / "frequencies")


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


def test_a_kernel_that_tells_no_stolen_time_tells_utilisation_all_the_same(
    kernel: FakeKernel,
) -> None:
    sensor = MachineSensor(kernel.proc, kernel.now_s)
    kernel.write("stat", "cpu  100 0 100 800\n")
    sensor.read()
    kernel.write("stat", "cpu  130 0 110 860\n")
    readings = sensor.read()
    assert readings["cpu.utilisation"] == Value(0.4)
    assert readings["cpu.steal_share"] == Missing(f"{kernel.proc}/stat: tells no stolen time")


def test_a_counter_of_waiting_that_went_back_a_little_is_no_more_than_the_whole(
    kernel: FakeKernel,
) -> None:
    sensor = MachineSensor(kernel.proc, kernel.now_s)
    kernel.write("stat", "cpu  100 0 100 800 20 0 0 0 0 0\n")
    sensor.read()
    kernel.write("stat", "cpu  200 0 100 800 10 0 0 0 0 0\n")
    assert sensor.read()["cpu.utilisation"] == Value(1.0)


@pytest.mark.parametrize("later", ["cpu  400 0 0 650 0 0 0 0", "cpu  0 0 0 0 0 0 0 0"])
def test_a_share_that_cannot_be_is_invalid(kernel: FakeKernel, later: str) -> None:
    sensor = MachineSensor(kernel.proc, kernel.now_s)
    kernel.write("stat", "cpu  100 0 0 800 0 0 0 0\n")
    sensor.read()
    kernel.write("stat", f"{later}\n")
    assert isinstance(sensor.read()["cpu.utilisation"], Invalid)


def test_pressure_that_is_switched_off_is_missing_with_the_kernels_words(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> bytes:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(kernel_files, "read_bytes", refuse)
    found = MachineSensor(kernel.proc, kernel.now_s).read()["cpu.pressure_some_share"]
    assert found == Missing(f"{kernel.proc}/pressure/cpu: Operation not supported")


def test_the_frequency_is_the_mean_share_of_the_highest(kernel: FakeKernel) -> None:
    kernel.frequency(0, "1900000\n", "3800000\n")
    kernel.frequency(1, "3800000\n", "3800000\n")
    assert kernel.frequencies().read()["cpu.frequency_share"] == Value(0.75)


@pytest.mark.parametrize(
    ("highest", "says"),
    [
        ("0\n", "says '0'"),
        ("", "says nothing"),
        ("<unknown>\n", "says '<unknown>'"),
        ("-3800000\n", "says '-3800000'"),
        ("1e30\n", "says '1e30'"),
        (f"{10**12}\n", f"says '{10**12}'"),
    ],
)
def test_a_highest_frequency_that_cannot_be_is_missing_with_what_the_file_says(
    kernel: FakeKernel, highest: str, says: str
) -> None:
    kernel.frequency(0, "1900000\n", highest)
    file = f"{kernel.proc}/frequencies/cpu0/cpufreq/cpuinfo_max_freq"
    assert kernel.frequencies().read()["cpu.frequency_share"] == Missing(f"{file}: {says}")


def test_a_processor_that_tells_no_frequency_is_left_out_of_the_mean(kernel: FakeKernel) -> None:
    kernel.frequency(0, "1900000\n", "3800000\n")
    kernel.frequency(1, "1900000\n", "0\n")
    kernel.write("frequencies/cpu2/online", "1\n")
    (kernel.proc / "frequencies/cpu3/cpufreq").mkdir(parents=True)
    assert kernel.frequencies().read()["cpu.frequency_share"] == Value(0.5)


def test_a_processor_may_come_and_go_while_frequencies_are_read(kernel: FakeKernel) -> None:
    sensor = kernel.frequencies()
    none = Missing(f"{kernel.proc}/frequencies: this machine tells no frequencies")
    assert sensor.read()["cpu.frequency_share"] == none
    kernel.frequency(0, "1900000\n", "3800000\n")
    assert sensor.read()["cpu.frequency_share"] == Value(0.5)
    kernel.frequency(1, "3800000\n", "3800000\n")
    assert sensor.read()["cpu.frequency_share"] == Value(0.75)
    shutil.rmtree(kernel.proc / "frequencies/cpu0")
    assert sensor.read()["cpu.frequency_share"] == Value(1.0)
    shutil.rmtree(kernel.proc / "frequencies")
    assert sensor.read()["cpu.frequency_share"] == none


def test_a_boost_beyond_the_highest_counts_as_the_highest_within_reason(
    kernel: FakeKernel,
) -> None:
    kernel.frequency(0, "4200000\n", "3800000\n")
    assert kernel.frequencies().read()["cpu.frequency_share"] == Value(1.0)
    kernel.frequency(0, "11400000\n", "3800000\n")
    assert kernel.frequencies().read()["cpu.frequency_share"] == Missing(
        f"{kernel.proc}/frequencies/cpu0/cpufreq/scaling_cur_freq: "
        "3 times the highest, which cannot be"
    )


def test_a_thread_whose_counters_cannot_be_hides_no_other(kernel: FakeKernel) -> None:
    sensor = ThreadSensor(kernel.proc, kernel.now_s)
    kernel.write("7/schedstat", "0 0 1\n")
    kernel.write("8/schedstat", "900 900 1\n")
    sensor.read([7, 8])
    kernel.time_s += 1.0
    kernel.write("7/schedstat", "500000000 100000000 9\n")
    kernel.write("8/schedstat", "9000000000000 0 9\n")
    assert sensor.read([7, 8]) == {
        "audio.utilisation": Value(0.5),
        "audio.run_delay_share": Value(0.1),
    }
    kernel.time_s += 1.0
    kernel.write("8/schedstat", "0 0 9\n")
    assert isinstance(sensor.read([8])["audio.utilisation"], Invalid)


def test_a_wait_that_began_before_the_interval_counts_as_a_whole(kernel: FakeKernel) -> None:
    sensor = ThreadSensor(kernel.proc, kernel.now_s)
    kernel.write("7/schedstat", "0 0 1\n")
    sensor.read([7])
    kernel.time_s += 1.0
    kernel.write("7/schedstat", "0 3000000000 2\n")
    assert sensor.read([7])["audio.run_delay_share"] == Value(3.0)


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
