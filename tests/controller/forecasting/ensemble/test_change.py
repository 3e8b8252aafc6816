"""A change is told from a surprise."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from controller.forecasting.ensemble.change import Change


def first_seen(surprises) -> int | None:
    change = Change()
    return next((turn for turn, each in enumerate(surprises, start=1) if change.seen(each)), None)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_three_great_surprises_in_one_direction_are_a_change(sign):
    assert first_seen([sign * 3.0] * 10) == 3


def test_one_surprise_or_two_opposite_ones_are_none():
    assert first_seen([3.5, *[0.0] * 50]) is None
    assert first_seen([3.0, -3.0] * 50) is None


def test_noise_is_none():
    assert first_seen(np.random.default_rng(1).standard_normal(5000)) is None


def test_a_gap_tells_nothing():
    assert first_seen([3.0, math.nan, 3.0, math.nan, 3.0]) == 5


def test_after_a_change_it_waits_for_the_next():
    change = Change()
    assert [change.seen(4.0) for _ in range(6)] == [False, True, False, True, False, True]


def test_it_goes_on_from_what_it_saved():
    change, again = Change(), Change()
    change.seen(4.0)
    again.resume(json.loads(json.dumps(change.saved())))
    assert again.seen(4.0)
