"""The demand that a growth needs, and the data that a shrink needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import UNKNOWN, action
from reviews import load_forecast, observation, reason, review

from controller.config.config import GuardSection
from controller.guard.guard import Guard
from policies.knobs import Settings
from policies.observation import BlockCounts, Stale, Value


def guard_that_saw_a_load_of_ten(**limits) -> Guard:
    guard = Guard(GuardSection(shrink_after_s=0.5, **limits))
    review(guard, time_s=0.0)
    return guard


def test_without_data_nothing_shrinks():
    guard = guard_that_saw_a_load_of_ten()
    for second in (1.0, 2.0, 3.0, 500.0):
        blind = observation(second, load=UNKNOWN, blocks=None, p99_ms=1.0)
        held = reason(guard, action("nodes", 1), time_s=second, seen=blind)
    assert held == "nothing shrinks while the load is not known"


def test_a_stale_load_is_no_data():
    guard = guard_that_saw_a_load_of_ten()
    review(guard, action("nodes", 1), time_s=1.0)
    stale = observation(2.0, load=Stale(10.0, 3.0))
    held = reason(guard, action("nodes", 1), time_s=2.0, seen=stale)
    assert held == "nothing shrinks while the load is not known"


@pytest.mark.parametrize(
    ("load", "p99_ms", "forecast", "admitted"),
    [
        (UNKNOWN, None, None, False),
        (UNKNOWN, 4.9, None, False),
        (UNKNOWN, 5.1, None, True),
        (Value(10.0), None, None, False),
        (Value(11.0), None, None, True),
        (Stale(11.0, 3.0), None, None, False),
        (UNKNOWN, None, load_forecast(10.0), False),
        (UNKNOWN, None, load_forecast(11.0), True),
    ],
)
def test_without_a_miss_rate_growing_takes_another_sign_of_demand(load, p99_ms, forecast, admitted):
    guard = guard_that_saw_a_load_of_ten()
    blind = observation(1.0, load=load, blocks=None, p99_ms=p99_ms)
    changes, holds = review(guard, action("nodes", 3), time_s=1.0, seen=blind, forecast=forecast)
    assert bool(changes) is admitted
    assert [hold.knob for hold in holds] == ([] if admitted else ["nodes"])


def test_what_a_growth_is_to_bring_down_shows_demand_where_nothing_else_is_ever_known():
    """Of programs only their delay is known: neither a load nor blocks."""
    delay = "audio.run_delay_per_wake_ms"
    blind = observation(1.0, load=UNKNOWN, blocks=None)
    late = replace(blind, readings={delay: Value(2.0)})
    wanted = action("nodes", 3, 0.4, 2.0, quantity=delay)
    assert len(review(Guard(GuardSection()), wanted, time_s=1.0, seen=late)[0]) == 1
    assert not review(Guard(GuardSection()), wanted, time_s=1.0, seen=blind)[0]


def test_the_last_valid_forecast_counts_when_there_is_none_now():
    guard = guard_that_saw_a_load_of_ten()
    review(guard, time_s=1.0, forecast=load_forecast(20.0))
    blind = observation(2.0, load=UNKNOWN, blocks=None)
    assert len(review(guard, action("nodes", 3), time_s=2.0, seen=blind)[0]) == 1


@pytest.mark.parametrize(("peak", "admitted"), [(0.0, False), (0.4, False), (3.0, True)])
def test_nothing_grows_for_nobody(peak, admitted):
    guard = guard_that_saw_a_load_of_ten()
    idle = observation(1.0, load=Value(0.0), blocks=BlockCounts())
    expected = load_forecast(peak)
    changes, holds = review(guard, action("nodes", 3), time_s=1.0, seen=idle, forecast=expected)
    assert bool(changes) is admitted
    assert admitted or holds[0].reason == "there is no load, and none is expected"


def test_an_idle_plant_lacks_nothing_and_may_shrink():
    guard = guard_that_saw_a_load_of_ten()
    changes = ()
    for second in (1.0, 2.0):
        idle = observation(second, load=Value(0.0), blocks=BlockCounts())
        changes, _ = review(guard, action("nodes", 1), time_s=second, seen=idle)
    assert len(changes) == 1


def test_a_plant_that_never_had_a_load_lacks_nothing_without_one():
    guard = Guard(GuardSection(shrink_after_s=0.5))
    for second in (1.0, 2.0):
        seen = observation(second, load=UNKNOWN)
        changes, _ = review(guard, action("nodes", 1), time_s=second, seen=seen)
    assert len(changes) == 1


def test_without_data_a_choice_grows_by_one_place_only():
    guard = guard_that_saw_a_load_of_ten()
    settings = Settings.of({"batch_size": 8})
    blind = observation(1.0, load=Value(20.0), blocks=None)
    changes, _ = review(guard, action("batch_size", 64), time_s=1.0, settings=settings, seen=blind)
    assert changes[0].action.value == 16
