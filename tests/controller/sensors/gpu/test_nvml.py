from __future__ import annotations

import pytest
from fake_nvml import FakeNvml, NVMLError_FunctionNotFound, NVMLError_NoPermission

from controller.sensors.gpu.monitor import readings
from controller.sensors.gpu.nvml import NAMES, NvmlDevice
from controller.sensors.gpu.period import longer_period_s, next_period_s


def test_a_device_is_told_in_bytes_shares_megahertz_watts_and_degrees() -> None:
    assert NvmlDevice(FakeNvml()).read().values == {
        "gpu.memory_total_bytes": 80_000,
        "gpu.memory_used_bytes": 20_000,
        "gpu.memory_free_bytes": 59_000,
        "gpu.utilisation": 0.34,
        "gpu.sm_clock_mhz": 1410,
        "gpu.sm_clock_share": 1410 / 1980,
        "gpu.memory_clock_mhz": 2619,
        "gpu.throttled": 0.0,
        "gpu.power_w": 312.5,
        "gpu.temperature_c": 61,
    }


def test_what_is_not_permitted_is_missing_alone_and_says_so() -> None:
    refusing = FakeNvml(power=NVMLError_NoPermission("Insufficient Permissions"))
    figures = NvmlDevice(refusing).read()
    assert figures.missing == {"gpu.power_w": "NVML: Insufficient Permissions"}
    assert set(figures.values) == set(NAMES) - {"gpu.power_w"}


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (0x00, []),
        (0x01, []),
        (0x102, []),
        (0x04, ["power cap"]),
        (0x48, ["hardware slowdown", "temperature, by hardware"]),
    ],
)
def test_only_what_hinders_work_counts_as_throttled(reasons: int, words: list[str]) -> None:
    figures = NvmlDevice(FakeNvml(reasons)).read()
    assert figures.throttles == words
    assert figures.values["gpu.throttled"] == float(bool(words))


def test_an_older_driver_tells_the_reasons_under_their_older_name() -> None:
    older = FakeNvml(0x04, events=NVMLError_FunctionNotFound("Function Not Found"))
    assert NvmlDevice(older).read().throttles == ["power cap"]


def test_the_device_that_cuda_uses_is_the_one_that_is_read() -> None:
    nvml = FakeNvml()
    NvmlDevice(nvml, "0000:1B:00.0")
    assert nvml.asked == ["init", "0000:1B:00.0"]


def test_one_that_may_not_be_read_at_all_ends_with_one_error_and_its_remedy() -> None:
    closed = FakeNvml(init=NVMLError_NoPermission("Insufficient Permissions"))
    assert list(readings(closed, None)) == [
        {
            "error": [
                "NVML: Insufficient Permissions",
                "let this user read and write /dev/nvidia*",
            ]
        }
    ]


def test_readings_that_take_long_are_taken_ever_more_rarely() -> None:
    periods_s = [1.0]
    for _ in range(4):
        periods_s.append(next_period_s(periods_s[-1], took_s=0.005))
    assert periods_s == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert next_period_s(50.0, took_s=1.0) == 60.0


def test_a_single_reading_that_takes_long_is_soon_forgotten() -> None:
    once = next_period_s(1.0, took_s=0.5)
    assert (once, next_period_s(once, took_s=0.000_05)) == (2.0, 1.8)


def test_a_period_grows_by_its_double_where_sound_was_disturbed() -> None:
    assert longer_period_s(4.0) == 8.0
    assert longer_period_s(50.0) == 60.0
