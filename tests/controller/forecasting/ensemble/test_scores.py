"""Members earn their weight by their losses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from controller.forecasting.ensemble.scores import Scores, pinball

ONE_STEP = np.array([1])


def scored(*losses: tuple[float, ...], times: int = 40) -> np.ndarray:
    """Weights of members with these losses, turn after turn, at one horizon and any level."""
    scores = Scores(len(losses[0]), ONE_STEP)
    for turn in losses:
        for _ in range(times):
            scores.add(np.array(turn)[:, None, None].repeat(4, axis=2))
    known = np.isfinite(np.array(losses[-1]))[:, None]
    return scores.weights(known)[:, 0, 1]


def test_a_load_above_a_high_quantile_costs_more_than_one_below():
    assert pinball(np.array([10.0, -10.0]), 0.9) == pytest.approx([9.0, 1.0])


def test_the_better_member_has_the_weight():
    weights = scored((1.0, 0.5, 0.5))
    assert weights == pytest.approx([0.01, 0.495, 0.495], abs=0.005)


def test_a_member_worse_than_last_value_has_none():
    assert scored((1.0, 1.01))[1] == 0.0


def test_a_demoted_member_returns_when_it_has_earned_it():
    assert scored((1.0, 3.0), (1.0, 0.2), times=150)[1] > 0.9


def test_last_value_never_goes_away():
    assert scored((1.0, 1e-6))[0] > 0.01


def test_a_member_that_begins_late_begins_as_good_as_last_value():
    scores = Scores(2, ONE_STEP)
    for _ in range(100):
        scores.add(np.array([2.0, np.nan])[:, None, None].repeat(4, axis=2))
    scores.add(np.array([2.0, 0.0])[:, None, None].repeat(4, axis=2))
    weights = scores.weights(np.array([[True], [True]]))[:, 0, 1]
    assert weights == pytest.approx([0.46, 0.54], abs=0.02)


def test_without_losses_nobody_has_weight():
    assert (Scores(2, ONE_STEP).weights(np.array([[True], [True]])) == 0.0).all()


def test_losses_of_nothing_are_no_reason_to_divide_by_it():
    assert scored((0.0, 0.0)).sum() == pytest.approx(1.0)


def test_it_goes_on_from_what_it_saved():
    scores, again = Scores(2, ONE_STEP), Scores(2, ONE_STEP)
    scores.add(np.array([2.0, 1.0])[:, None, None].repeat(4, axis=2))
    again.resume(json.loads(json.dumps(scores.saved())))
    known = np.array([[True], [True]])
    assert np.array_equal(again.weights(known), scores.weights(known))


def test_after_a_change_all_begin_with_equal_chances():
    scores = Scores(2, ONE_STEP)
    for _ in range(100):
        scores.add(np.array([1.0, 5.0])[:, None, None].repeat(4, axis=2))
    scores.level()
    assert scores.weights(np.array([[True], [True]]))[:, 0, 1] == pytest.approx([0.5, 0.5])
