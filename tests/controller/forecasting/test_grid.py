"""Readings become a regular series."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.forecasting.grid import Grid


def cells(grid: Grid, *readings: tuple[float, float | None]) -> list[float | None]:
    return [cell for reading in readings for cell in grid.take(*reading)]


def test_where_readings_come_once_a_step_each_is_a_cell_at_once():
    grid = Grid(1.0)
    cells(grid, (10.0, 3.0), (11.0, 4.0))
    assert grid.take(12.0, 5.0) == [5.0]
    assert grid.take(12.9, 6.0) == [6.0]


def test_more_readings_in_a_step_are_averaged():
    times = [15.0 * k for k in range(60)]
    ended = cells(Grid(60.0), *((time_s, time_s) for time_s in times))
    assert ended[1:3] == [pytest.approx(52.5), pytest.approx(112.5)]


def test_a_step_without_a_reading_is_a_gap_not_a_zero():
    assert cells(Grid(1.0), (0.0, 7.0), (1.0, 7.0), (2.0, None), (3.0, 8.0)) == [
        7.0,
        7.0,
        None,
        8.0,
    ]


def test_time_that_jumped_ahead_leaves_gaps():
    assert cells(Grid(1.0), (0.0, 1.0), (1.0, 2.0), (4.0, 3.0)) == [1.0, 2.0, None, None, 3.0]


def test_a_clock_that_is_wrong_by_a_century_leaves_no_endless_gap():
    grid = Grid(1.0, longest_gap=50)
    cells(grid, (0.0, 1.0), (1.0, 2.0))
    assert len(grid.take(3e9, 3.0)) == 50
    assert cells(grid, (3e9 + 1.0, 4.0), (3e9 + 2.0, 5.0))[-2:] == [4.0, 5.0]


def test_where_the_clock_steps_back_time_goes_on():
    grid = Grid(1.0)
    cells(grid, (100.0, 1.0), (101.0, 2.0), (102.0, 3.0))
    assert cells(grid, (42.0, 4.0), (43.0, 5.0)) == [4.0, 5.0]


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.none() | st.floats(0, 1e9)), max_size=20))
def test_it_goes_on_from_what_it_saved(readings):
    grid, again = Grid(2.0, longest_gap=100), Grid(2.0, longest_gap=100)
    cells(grid, *readings)
    again.resume(json.loads(json.dumps(grid.saved())))
    later = [(5.0, 1.0), (7.0, 2.0), (8.5, None), (12.0, 3.0)]
    assert cells(again, *later) == cells(grid, *later)
