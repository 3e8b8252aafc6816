"""A simulated pipeline does what policies are told of it."""

from __future__ import annotations

import numpy as np
import pytest

from policies.knobs import SchedulingClass, Settings, ThreadClass, ThreadClasses
from policies.latency import Calibration, Transfer
from simulators.calibration.pipeline_file import find_calibration
from simulators.levels.closed_form import IntervalLevel, quiet_work
from simulators.levels.latency import IntervalLatency

FOUND = Settings.of({"batch_size": 16, "vram_block_bytes": 1 << 17})


@pytest.fixture(scope="module")
def plain():
    calibration = Calibration()
    return IntervalLevel(calibration), IntervalLatency(
        IntervalLevel(calibration), calibration, FOUND
    )


@pytest.mark.parametrize("streams", [80, 84, 86, 90, 93])
def test_between_its_laws_the_miss_rate_is_right_to_a_fifth(plain, streams):
    level, latency = plain
    exact = level.law(quiet_work(streams, 16)).miss_rate
    assert latency.miss_rates(Settings())[streams] == pytest.approx(exact, rel=0.2)


def test_a_larger_batch_carries_more_and_nothing_never_carries_less_than_something(plain):
    _, latency = plain
    rates = {size: latency.miss_rates(FOUND.turned("batch_size", size)) for size in (16, 64)}
    assert rates[64][100] < 0.001 < rates[16][100]
    assert all((np.diff(each) >= 0.0).all() for each in rates.values())
    assert rates[16][0] == 0.0


def test_utilisation_grows_with_the_streams_up_to_all_of_the_time(plain):
    _, latency = plain
    busy = [latency.utilisation(streams, FOUND) for streams in (0.0, 40.0, 80.0, 1000.0)]
    assert busy[0] == 0.0
    assert 0.3 < busy[1] < 0.5 < 0.6 < busy[2] < 0.8
    assert busy[3] == 1.0


def test_streams_without_device_memory_are_missed():
    memory = Transfer(bytes_per_stream=1 << 17, memory_bytes=20 << 17)
    calibration = Calibration(transfer=memory)
    latency = IntervalLatency(IntervalLevel(calibration), calibration, FOUND)
    rates = latency.miss_rates(FOUND)
    assert rates[20] < 0.01
    assert rates[40] == pytest.approx(0.5, abs=0.01)


def test_the_class_of_the_threads_is_part_of_the_law():
    calibration = find_calibration("full")
    latency = IntervalLatency(IntervalLevel(calibration), calibration, FOUND)
    idle = ThreadClasses(audio=ThreadClass(SchedulingClass.IDLE))
    normal, demoted = (
        latency.miss_rates(FOUND.turned("thread_classes", each))[80]
        for each in (ThreadClasses(), idle)
    )
    assert normal < demoted
