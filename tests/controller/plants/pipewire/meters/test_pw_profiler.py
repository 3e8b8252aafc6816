"""Rows of pw-profiler, as they were recorded (0.3.65)."""

from __future__ import annotations

import pytest
from pipewire_tables import DONE, NOT_DONE, NOT_WOKEN, row

from controller.plants.pipewire.meters.pw_profiler import Cycle, Rows


def test_a_cycle_is_as_late_and_as_long_as_the_worst_of_its_followers() -> None:
    (cycle,) = Rows().feed(row(DONE, "43 24 40 900 0 860 3 0"))
    assert cycle == Cycle(1333.0, 22.0, 860.0, end_us=900.0, missed=False, follower=43)


@pytest.mark.parametrize("follower", [NOT_WOKEN, NOT_DONE])
def test_a_follower_that_is_not_done_in_time_makes_its_cycle_missed_and_a_period_late(
    follower: str,
) -> None:
    (cycle,) = Rows().feed(row(DONE, follower))
    assert (cycle.period_us, cycle.late_us, cycle.busy_us) == (1333.0, 1333.0, 6.0)
    assert (cycle.end_us, cycle.missed) == (1333.0, True)


def test_nobody_waits_for_a_follower_that_has_no_part_in_the_cycle() -> None:
    gap = " \t" * 8
    text = b"1335\t60\t0\t1333\t" + gap.encode() + DONE.replace(" ", "\t").encode() + b"\t\n"
    inactive = row(DONE, "44 0 0 0 0 0 4 0")
    assert [cycle.missed for cycle in Rows().feed(text + inactive)] == [False, False]


def test_rows_may_come_in_parts_and_later_versions_write_fractions() -> None:
    rows = Rows()
    assert rows.feed(b"1335.250\t60.125\t0.000\t1333.333\t41\t0.000\t24.5") == []
    (cycle,) = rows.feed(b"00\t30.000\t24.500\t5.500\t3\t0\t\n")
    assert cycle == Cycle(1333.333, 24.5, 5.5, end_us=30.0, missed=False, follower=41)
