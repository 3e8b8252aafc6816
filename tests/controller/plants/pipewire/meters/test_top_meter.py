"""How cycles and misses are counted from the tables of pw-top, as drivers come and go."""

from __future__ import annotations

import pytest
from meter_rig import PLAYING, MeterRig, driven
from pipewire_tables import HEADER, TABLE, seconds, shown

from controller.plants.pipewire.meters.meter import Period
from controller.plants.pipewire.meters.top_meter import TopMeter

RESTING = "S   36      0      0    ---     ---   ---   ---     3  S16LE 2 48000 alsa_output.usb\n"


@pytest.fixture
def rig() -> MeterRig:
    return MeterRig(TopMeter(), PLAYING)


def test_cycles_are_reckoned_from_the_time_and_only_new_errors_count(rig: MeterRig) -> None:
    for second, errors in enumerate(((5, 70, 800), (7, 72, 801), (7, 75, 801)), 1):
        rig.at(second, HEADER + TABLE.format(*errors))
    assert rig.counted() == (2 * 750, 2 + 3)
    assert rig.meter.periods == {36: Period(64, 48_000)}
    assert rig.meter.line()["busy_share"] == 0.90  # of the driver and its followers
    assert rig.meter.told_ns == seconds(3)


def test_a_cycle_that_was_missed_counts_once_however_often_it_is_told(rig: MeterRig) -> None:
    for second, errors in enumerate(((0, 0, 0), (10, 1500, 0)), 1):
        rig.at(second, HEADER + TABLE.format(*errors))
    assert rig.counted() == (750, 750)


def test_counting_begins_with_the_errors_that_it_finds_when_it_is_started_again(
    rig: MeterRig,
) -> None:
    for second, errors in ((1.0, 5), (3.0, 0)):
        rig.meter.begin(seconds(second))
        rig.at(second, HEADER + TABLE.format(errors, 0, 0))
    assert rig.counted() == (0, 0)


def test_the_same_cycle_shown_again_is_none(rig: MeterRig) -> None:
    for second in (1.0, 2.0, 3.0):
        rig.at(second, HEADER + TABLE.format(5, 5, 5))
    assert rig.counted() == (0, 0)
    assert rig.meter.seen == 1


def test_a_server_that_stood_still_missed_what_it_says_and_no_second_of_it(rig: MeterRig) -> None:
    for second, errors in ((1.0, 0), (2.0, 0), (3.0, 20)):
        rig.at(second, shown(64, errors))
    assert rig.counted() == (750, 20)


def test_errors_of_the_time_before_a_driver_was_at_work_are_not_counted(rig: MeterRig) -> None:
    rig.at(1.0, HEADER + RESTING)
    rig.at(2.0, shown(64, 241))
    rig.at(3.0, shown(64, 242, "1.3ms"))
    assert rig.counted() == (750, 1)


def test_all_drivers_are_counted_each_by_its_own_period() -> None:
    rig = MeterRig(TopMeter(), driven(36, 41), driven(50, 51))
    other = "R 50 1024 48000 1.0us {0} 0.01 0.01 {1} F32P 2 48000 hdmi\n"
    rig.at(1.0, shown(64, 0) + other.format("1us", 0))
    rig.at(2.0, shown(64, 3, "1.3ms") + other.format("2us", 4))
    assert rig.counted() == (750 + 47, 3 + 4)
    assert rig.meter.periods == {36: Period(64, 48_000), 50: Period(1024, 48_000)}


def test_a_driver_that_nobody_follows_plays_nothing() -> None:
    rig = MeterRig(TopMeter(), driven(50, 51))
    for second, busy in ((1.0, "1ms"), (2.0, "2ms")):
        rig.at(second, shown(64, 9, busy))
    assert rig.counted() == (0, 0)
    assert rig.meter.periods == {}


def test_a_quantum_that_changed_within_the_second_counts_from_then_on(rig: MeterRig) -> None:
    rig.at(1.0, shown(64, 0))
    rig.works(1.8, PLAYING)
    rig.at(2.0, shown(1024, 1, "1.3ms"))
    assert rig.counted() == (round(0.8 * 750 + 0.2 * 46.875), 1)


def test_the_rate_is_that_of_the_driver_whatever_the_graph_says(rig: MeterRig) -> None:
    for second, busy in ((1.0, "1ms"), (2.0, "2ms")):
        rig.at(second, shown(128, 0, busy, 44_100))
    assert rig.meter.periods == {36: Period(128, 44_100)}
    assert rig.counted() == (round(44_100 / 128), 0)


def test_of_a_freewheel_nothing_is_counted_nor_of_how_it_ends(rig: MeterRig) -> None:
    rig.at(1.0, shown(64, 0))
    rig.works(1.5, driven(30, 36, 41, freewheels=True))
    assert rig.active.no_deadline == "the server freewheels"
    rig.at(2.0, shown(64, 0))
    rig.works(2.5, PLAYING)
    assert rig.active.no_deadline == ""
    rig.at(3.0, shown(64, 115, "1.3ms"))
    assert rig.counted() == (0, 0)
    rig.at(4.0, shown(64, 116, "1.2ms"))
    assert rig.counted() == (750, 1)


def test_a_driver_that_began_just_before_a_table_is_counted_from_the_next() -> None:
    rig = MeterRig(TopMeter())
    rig.works(0.95, PLAYING)
    for second, errors in ((1.0, 0), (2.0, 8), (3.0, 9)):
        rig.at(second, shown(64, errors, f"1.{errors}ms"))
    assert rig.counted() == (750, 1)


def test_a_moment_in_which_all_nodes_are_suspended_is_no_rest(rig: MeterRig) -> None:
    rig.at(1.0, shown(64, 0))
    rig.works(1.4)
    rig.works(1.5, PLAYING)
    rig.at(2.0, shown(128, 2, "1.3ms"))
    assert rig.counted() == (round(0.5 * 750 + 0.5 * 375), 2)
