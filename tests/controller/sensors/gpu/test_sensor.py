from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fake_nvml
import pytest
from gpu_link import COOL, HOT, FakeLink

from controller.monitors.link import MonitorLink
from controller.sensors.gpu import link as links
from controller.sensors.gpu.link import NO_BINDINGS, NO_DEVICE, NoLink, open_link
from controller.sensors.gpu.nvml import NAMES
from controller.sensors.gpu.sensor import GpuSensor
from policies.observation import Missing, Stale, Value


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


@pytest.fixture
def clock() -> list[float]:
    return [100.5]


@pytest.fixture
def sensor(link: FakeLink, clock: list[float]) -> GpuSensor:
    return GpuSensor(now_s=lambda: clock[0], opened=lambda _: link)


def test_what_was_just_read_is_told_as_of_now(link: FakeLink, sensor: GpuSensor) -> None:
    link.lines = [HOT]
    found = sensor.read()
    assert found["gpu.temperature_c"] == Value(91.0)
    assert found["gpu.power_w"] == Missing("NVML: Not Supported")
    assert tuple(found) == NAMES


def test_a_reading_grows_stale_while_nothing_newer_comes(
    link: FakeLink, sensor: GpuSensor, clock: list[float]
) -> None:
    link.lines = [HOT]
    sensor.read()
    clock[0] = 104.0
    assert sensor.read()["gpu.temperature_c"] == Stale(91.0, 4.0)


def test_before_the_first_line_all_is_missing(sensor: GpuSensor) -> None:
    assert set(sensor.read().values()) == {Missing("NVML has told nothing yet")}


def test_once_the_process_has_died_all_is_missing_and_says_why(
    link: FakeLink, sensor: GpuSensor
) -> None:
    link.lines = [HOT]
    sensor.read()
    link.pid = None
    assert set(sensor.read().values()) == {Missing("its monitor has ended unexpectedly")}


def test_what_lowers_the_clock_is_told_once_and_again_a_minute_after_it_ended(
    link: FakeLink, sensor: GpuSensor, clock: list[float]
) -> None:
    told = []
    for at_s, line in ((100.5, HOT), (101.5, COOL), (102.5, HOT), (162.4, HOT), (222.5, HOT)):
        clock[0], link.lines = at_s, [line]
        sensor.read()
        told.append(sensor.take_events())
    why = ("the GPU lowers its clock: power cap, temperature, by hardware",)
    assert told == [why, (), (), (), why]


def test_it_is_read_rarer_once_blocks_were_missed_beside_a_reading_that_took_long(
    link: FakeLink, sensor: GpuSensor
) -> None:
    for took_s, missed in ((0.006, 0), (0.0001, 9), (0.006, 9)):
        link.lines = [{**HOT, "took_s": took_s}]
        sensor.read()
        sensor.suspect(missed, period_s=0.005)
    assert link.orders == ["rarer"]
    sensor.read()
    sensor.suspect(9, period_s=0.005)
    assert link.orders == ["rarer"]


def test_without_a_device_or_bindings_no_process_is_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "device_file", lambda: None)
    assert GpuSensor().read()["gpu.power_w"] == Missing(NO_DEVICE[0])
    monkeypatch.setattr(links, "device_file", lambda: Path("/dev/nvidiactl"))
    monkeypatch.setattr(links, "find_spec", lambda name: None)
    without = GpuSensor()
    assert without.read()["gpu.power_w"] == Missing(NO_BINDINGS[0])
    assert without.pid is None
    assert isinstance(open_link(), NoLink)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[MonitorLink]:
    monkeypatch.setenv("PYTHONPATH", str(Path(fake_nvml.__file__).parent))
    link = MonitorLink("fake_nvml")
    yield link
    link.close()


def test_a_process_of_its_own_reads_and_is_missed_once_it_is_killed(process: MonitorLink) -> None:
    sensor = GpuSensor(opened=lambda _: process)
    assert process.wait(30.0)[-1]["values"]["gpu.temperature_c"] == 61
    assert process.pid == sensor.pid
    process.close()
    assert isinstance(sensor.read()["gpu.temperature_c"], Missing)
