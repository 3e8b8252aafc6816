"""The price of a miss is learned from what is missed."""

from __future__ import annotations

import json

import pytest

from policies.conductor.sizing.price import MissPrice


def priced(miss_rate, days):
    """The price at the end of so many days with that miss rate, asked for every hour."""
    price = MissPrice()
    for k in range(round(24 * days) + 1):
        price.see(3600.0 * k, 100.0, miss_rate)
        cost = price.ask(0.001, streams_per_node=80)
    return cost


AS_AIMED = 0.03 / (0.001 * 80)


def test_a_miss_becomes_dearer_with_the_square_of_what_is_missed():
    assert priced(0.0009, 0.25) == pytest.approx(AS_AIMED)
    assert AS_AIMED < priced(0.0018, 0.25) < 4.0 * AS_AIMED
    lately = [priced(each, 0.25) / AS_AIMED for each in (0.0018, 0.0027)]
    assert lately == sorted(lately)
    assert priced(0.0, 0.25) < AS_AIMED


def test_a_miss_becomes_ever_dearer_while_too_much_is_missed_but_not_endlessly():
    assert priced(0.0009, 20) == pytest.approx(AS_AIMED)
    assert priced(0.001, 20) > 1.2 * (0.001 / 0.0009) ** 2 * AS_AIMED
    assert priced(0.5, 20) == pytest.approx(20.0 * AS_AIMED)
    assert priced(0.0, 20) == pytest.approx(0.25 * AS_AIMED)


def test_to_ask_for_the_price_twice_changes_nothing():
    price = MissPrice()
    for time_s in (0.0, 3600.0):
        price.see(time_s, 100.0, 0.1)
        first = price.ask(0.001, streams_per_node=80)
        assert price.ask(0.001, streams_per_node=80) == first


def test_a_bad_first_minute_does_not_make_a_miss_ten_times_as_dear_for_days():
    def after(bad_s):
        price = MissPrice()
        for k in range(241):
            price.see(15.0 * k, 1000.0, 1.0 if 0 < 15.0 * k <= bad_s else 0.0)
        return price.ask(0.001, streams_per_node=80)

    assert after(60.0) == pytest.approx(2.5 * after(0.0), rel=0.3)


@pytest.mark.parametrize("elapsed_s", [-1e9, 1e6, 1e9, 1e12])
def test_a_leap_of_the_clock_breaks_nothing(elapsed_s):
    price = MissPrice()
    for time_s in (0.0, 3600.0, 3600.0 + elapsed_s):
        price.see(time_s, 100.0, 0.5)
        assert 0.0 < price.ask(0.001, streams_per_node=80) < 20.1 * AS_AIMED


def test_an_interval_without_a_load_tells_nothing():
    price = MissPrice()
    price.see(0.0, 100.0, 0.0)
    price.see(60.0, None, 0.5)
    price.see(120.0, 100.0, None)
    assert price.submitted == 0.0


def test_what_was_learned_survives_as_plain_json_and_anything_else_is_a_fresh_start():
    price = MissPrice()
    for k in range(5):
        price.see(60.0 * k, 100.0, 0.01)
        price.ask(0.001, streams_per_node=80)
    assert MissPrice.recall(json.loads(json.dumps(price.plain()))) == price
    assert MissPrice.recall({"missed": 1.0}) == MissPrice.recall(None) == MissPrice()


def test_misses_are_not_believed_to_have_lasted_through_an_outage():
    price = MissPrice()
    for k in range(49):
        price.see(3600.0 * k, 1000.0, 0.0009)
    price.see(price.now_s + 86_400.0, 1000.0, 1.0)
    assert price.missed < 2.0 * 3600.0 * 1000.0
