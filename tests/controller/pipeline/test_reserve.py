"""The part of processor time that stays free."""

import pytest

from controller.pipeline.reserve import Reserve


def reserve() -> Reserve:
    kept = Reserve(0.15)
    kept.set_budget("analysis", 0.2)
    kept.set_budget("visualisation", 0.1)
    return kept


def test_companions_have_their_budget_while_audio_leaves_room() -> None:
    granted = reserve().granted(0.5, ["analysis", "visualisation"])
    assert granted == {"analysis": 0.2, "visualisation": 0.1}


def test_companions_yield_in_proportion_before_the_reserve_is_touched() -> None:
    granted = reserve().granted(0.7, ["analysis", "visualisation"])
    assert granted == pytest.approx({"analysis": 0.1, "visualisation": 0.05})
    assert 0.7 + sum(granted.values()) == pytest.approx(0.85)


def test_companions_stay_alive_where_audio_takes_everything() -> None:
    assert reserve().granted(0.95, ["analysis"]) == {"analysis": 0.01}
