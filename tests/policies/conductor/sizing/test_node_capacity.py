"""The capacity of a node is learned from how busy it is and from what proved too much."""

from __future__ import annotations

import pytest
from fakes import OBJECTIVE

from policies.conductor.situation import Situation
from policies.conductor.sizing.node_capacity import NodeCapacity
from policies.diagnosis import Bottleneck, Diagnosis
from policies.knobs import Settings
from policies.observation import BlockCounts, Observation, Value
from policies.policy import Context


def situation(time_s, streams, busy=None, *, nodes=1, batch_size=8, missed=0):
    context = Context(
        time_s=time_s,
        objective=OBJECTIVE,
        observation=Observation(
            time_s,
            1.0,
            Value(float(streams)),
            blocks=BlockCounts(10_000 - missed, missed),
            readings={} if busy is None else {"audio.utilisation": Value(busy)},
        ),
        forecast=None,
        diagnosis=Diagnosis(Bottleneck.NONE, "calm"),
        knobs={},
        settings=Settings.of({"nodes": nodes, "batch_size": batch_size}),
        states={},
        unavailable={},
    )
    return Situation.of(context)


def learned(*intervals, capacity=None):
    capacity = capacity or NodeCapacity()
    for each in intervals:
        capacity.see(each)
    return capacity


def test_nothing_is_known_of_a_node_whose_work_nobody_tells():
    assert learned(situation(0.0, 20)).most_streams() is None
    assert learned(situation(0.0, 0, 0.3)).most_streams() is None
    assert learned(situation(0.0, 20, 1e-300)).most_streams() is None


def test_work_is_all_the_streams_until_more_is_known():
    assert learned(situation(0.0, 20, 0.4)).most_streams() == pytest.approx(42.5)


def test_work_that_does_not_grow_with_the_streams_is_told_apart_once_they_vary():
    """Half of the node's time whatever it carries, and 1 % a stream: 35 leave it its reserve."""
    loads = [10 + second % 21 for second in range(600)]
    capacity = learned(*(situation(t, load, 0.5 + 0.01 * load) for t, load in enumerate(loads)))
    assert capacity.most_streams() == pytest.approx(35.0, rel=0.03)
    assert capacity.busier(capacity.streams + 10) == pytest.approx(0.1, rel=0.05)


def test_a_node_that_can_do_no_more_says_nothing_of_what_more_streams_take():
    calm = [situation(float(t), 20, 0.4) for t in range(30)]
    swamped = [situation(30.0 + t, 200, 1.0, missed=9_000) for t in range(30)]
    assert learned(*calm, *swamped).most_streams() == pytest.approx(42.5)


def test_what_missed_blocks_once_a_node_had_left_is_too_much_until_it_is_forgotten():
    before = [situation(float(t), 40, 0.3, nodes=2) for t in range(10)]
    after = [situation(10.0 + t, 40, 0.6, nodes=1, missed=500) for t in range(3)]
    capacity = learned(*before, *after)
    assert capacity.most_streams() == pytest.approx(38.0)
    long_after = learned(situation(7 * 3600.0, 40, 0.6, nodes=1), capacity=capacity)
    assert long_after.most_streams() > 40.0


def test_a_few_late_periods_after_a_node_had_left_are_chance():
    before = [situation(float(t), 40, 0.3, nodes=2) for t in range(10)]
    after = [situation(10.0 + t, 40, 0.6, nodes=1, missed=40) for t in range(5)]
    assert learned(*before, *after[:4]).most_streams() > 40.0
    assert learned(*before, *after).most_streams() == pytest.approx(38.0)


def test_what_was_missed_before_a_node_was_back_says_nothing_of_those_after():
    missing = [situation(10.0 + t, 40, 0.6, nodes=1, missed=500) for t in range(2)]
    back = [situation(12.0 + t, 40, 0.3, nodes=2) for t in range(5)]
    capacity = learned(situation(9.0, 40, 0.3, nodes=2), *missing, *back)
    assert capacity.most_streams() == pytest.approx(38.0)


def test_what_is_missed_long_after_a_node_left_has_another_cause():
    before = [situation(float(t), 40, 0.3, nodes=2) for t in range(10)]
    after = [situation(10.0 + t, 40, 0.6, nodes=1, missed=500 * (t > 20)) for t in range(30)]
    assert learned(*before, *after).most_streams() > 40.0


def test_the_fewest_that_called_for_a_node_are_remembered():
    capacity = learned(situation(0.0, 20, 0.1))
    for streams in (30, 25, 28):
        capacity.note_too_many(situation(1.0, streams))
    assert capacity.most_streams() == pytest.approx(0.95 * 25)


def test_where_nobody_tells_how_busy_nodes_are_what_was_too_many_is_all_that_is_known():
    capacity = learned(situation(0.0, 60))
    capacity.note_too_many(situation(1.0, 60))
    assert capacity.most_streams() == pytest.approx(0.85 * 0.95 * 60)


def test_the_fewest_are_forgotten_in_time_whatever_more_called_for_later():
    capacity = learned(situation(0.0, 20, 0.1))
    capacity.note_too_many(situation(1.0, 5))
    capacity.note_too_many(situation(5 * 3600.0, 100))
    assert learned(situation(7 * 3600.0, 20, 0.1), capacity=capacity).most_streams() > 100


def test_other_settings_are_learned_anew_and_what_was_too_many_is_known_when_they_return():
    capacity = learned(situation(0.0, 20, 0.1))
    capacity.note_too_many(situation(1.0, 20))
    assert learned(situation(2.0, 20, 0.1, batch_size=64), capacity=capacity).most_streams() is None
    again = learned(situation(3.0, 20, 0.2, batch_size=64), capacity=capacity)
    assert again.most_streams() == pytest.approx(85.0)
    back = learned(*(situation(4.0 + t, 20, 0.1) for t in range(2)), capacity=capacity)
    assert back.most_streams() == pytest.approx(19.0)


def test_what_was_learned_outlives_the_process():
    capacity = learned(*(situation(float(t), 20 + t % 5, 0.4) for t in range(50)))
    assert NodeCapacity.recall(capacity.plain()) == capacity
    assert NodeCapacity.recall({"streams": 3}) == NodeCapacity.recall(7) == NodeCapacity()
