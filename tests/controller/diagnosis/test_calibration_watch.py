"""Live figures held against what a calibration predicts."""

from __future__ import annotations

import pytest

from controller.config.config import ThresholdsSection
from controller.diagnosis.calibration_watch import CalibrationWatch
from controller.diagnosis.diagnostician import Diagnostician
from policies.knobs import SchedulingClass, Settings, ThreadClass, ThreadClasses
from policies.latency import Band, Calibration
from policies.objective import Objective
from policies.observation import BlockCounts, Missing, Observation, Quantiles, Value

BANDS = (Band(10, 64, 0.8, 1.2), Band(30, 64, 1.8, 2.2))
CALIBRATED = Calibration(bands=BANDS)
SETTINGS = Settings.of({"nodes": 2, "batch_size": 64})


def seen(p99_ms=1.5, load=40.0):
    readings = Quantiles(Value(1.0), Value(1.2), Value(p99_ms), Value(3.0))
    return Observation(0.0, 1.0, Value(load), blocks=BlockCounts(100), latency=readings)


def alarms(watch, *observations, settings=SETTINGS):
    return [watch.alarms(each, settings) for each in observations]


def test_between_two_bands_it_is_interpolated_for_each_node():
    band = CALIBRATED.band(20, 64)
    assert band == Band(20, 64, pytest.approx(1.3), pytest.approx(1.7))


@pytest.mark.parametrize(("streams", "batch_size"), [(9, 64), (31, 64), (20, 32)])
def test_nothing_is_predicted_beyond_what_was_measured(streams, batch_size):
    assert CALIBRATED.band(streams, batch_size) is None


@pytest.mark.parametrize(("scheduling", "told"), [("normal", True), ("realtime", False)])
def test_a_band_says_nothing_of_threads_that_are_scheduled_otherwise(scheduling, told):
    classes = ThreadClasses(audio=ThreadClass(SchedulingClass(scheduling)))
    settings = SETTINGS.turned("thread_classes", classes)
    *_, fifth = alarms(CalibrationWatch(CALIBRATED), *[seen(2.5)] * 5, settings=settings)
    assert bool(fifth) is told


@pytest.mark.parametrize(("block_bytes", "told"), [(1 << 16, True), (1 << 17, False)])
def test_a_band_says_nothing_of_device_memory_in_other_blocks(block_bytes, told):
    watch = CalibrationWatch(Calibration(bands=BANDS, block_bytes=1 << 16))
    settings = SETTINGS.turned("vram_block_bytes", block_bytes)
    *_, fifth = alarms(watch, *[seen(2.5)] * 5, settings=settings)
    assert bool(fifth) is told


def test_five_intervals_outside_the_band_raise_an_alarm_and_one_does_not():
    *early, fifth = alarms(CalibrationWatch(CALIBRATED), *[seen(2.5)] * 5)
    assert early == [()] * 4
    (text,) = fifth
    assert "2.50 ms" in text
    assert "1.30 to 1.70 ms (20 streams a node in batches of 64)" in text


def test_too_fast_is_outside_as_well():
    assert alarms(CalibrationWatch(CALIBRATED), *[seen(0.5)] * 5)[-1]


def test_one_interval_within_the_band_starts_the_count_over():
    told = alarms(CalibrationWatch(CALIBRATED), *[seen(2.5)] * 4, seen(1.5), *[seen(2.5)] * 4)
    assert told == [()] * 9


def test_what_is_not_known_is_held_against_nothing():
    watch = CalibrationWatch(CALIBRATED)
    unknown = Observation(0.0, 1.0, Missing("no report"))
    assert alarms(watch, *[unknown] * 9) == [()] * 9
    assert alarms(watch, *[seen(9.0)] * 9, settings=Settings.of({"nodes": 2})) == [()] * 9


def test_the_alarm_is_part_of_the_diagnosis():
    diagnostician = Diagnostician(ThresholdsSection(), Objective(deadline_ms=5.3), CALIBRATED)
    told = [diagnostician.diagnose(seen(2.5), None, SETTINGS, {}).alarms for _ in range(5)]
    assert [len(each) for each in told] == [0, 0, 0, 0, 1]
