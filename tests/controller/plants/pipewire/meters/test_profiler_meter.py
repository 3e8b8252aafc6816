"""How cycles and misses are counted from the rows of pw-profiler, as drivers come and go."""

from __future__ import annotations

import pytest
from meter_rig import PLAYING, MeterRig, driven
from pipewire_tables import DONE, NOT_DONE, row, seconds

from controller.plants.pipewire.meters.meter import Period
from controller.plants.pipewire.meters.profiler_meter import ProfilerMeter


@pytest.fixture
def rig() -> MeterRig:
    rig = MeterRig(ProfilerMeter(), PLAYING)
    rig.meter.begin(0)
    return rig


def test_every_cycle_is_counted_and_the_times_are_told_once(rig: MeterRig) -> None:
    rig.at(1.0, row(DONE) + row(DONE, NOT_DONE))
    line = rig.meter.line()
    assert (line["cycles"], line["missed"]) == (2, 1)
    assert rig.meter.periods == {36: Period(64, 48_000)}
    assert line["latency_ms"] == [0.030, 1.333]
    assert line["lateness_ms"] == [0.022, 1.333]
    assert rig.meter.line()["latency_ms"] == []


def test_counting_goes_on_when_the_tool_is_started_again(rig: MeterRig) -> None:
    rig.at(1.0, row(DONE) + b"1335\t60")
    rig.meter.begin(seconds(2))
    rig.at(3.0, row(DONE))
    assert rig.counted() == (2, 0)


def test_the_rate_is_the_one_at_which_the_period_has_whole_frames(rig: MeterRig) -> None:
    rig.at(1.0, row(DONE).replace(b"1333", b"2902"))
    assert rig.meter.periods == {36: Period(128, 44_100)}


def test_of_a_freewheel_nothing_is_counted_nor_of_how_it_ends(rig: MeterRig) -> None:
    rig.works(1.0, driven(30, 36, 41, freewheels=True))
    rig.at(1.1, row(NOT_DONE) * 9)
    rig.works(2.0, PLAYING)
    rig.at(2.1, row(NOT_DONE) * 9)
    assert rig.counted() == (0, 0)
    rig.at(2.3, row(DONE))
    assert rig.counted() == (1, 0)


def test_what_is_told_of_a_freewheel_only_after_its_end_is_not_counted(rig: MeterRig) -> None:
    rig.works(1.0, driven(30, 36, 41, freewheels=True))
    rig.works(4.0, PLAYING)
    rig.at(4.3, row(DONE) * 2000)
    cycles, _ = rig.counted()
    assert cycles == 375  # half a second of cycles of 64 frames
    for tenth in range(1, 11):
        rig.at(4.3 + tenth / 10, row(DONE) * 75)
    assert rig.counted() == (375 + 750, 0)


def test_what_a_tool_tells_late_is_counted_whole(rig: MeterRig) -> None:
    rig.at(1.0, row(DONE))
    rig.at(3.0, row(DONE) * 1500)
    assert rig.counted() == (1501, 0)


def test_the_meter_tells_which_driver_it_listens_to(rig: MeterRig) -> None:
    assert list(rig.meter.only) == []
    rig.at(1.0, row(DONE))
    assert list(rig.meter.only) == [36]
