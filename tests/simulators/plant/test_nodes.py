"""Nodes that start, serve, drain, die and cost."""

from __future__ import annotations

from simulators.plant.nodes import Cluster


def cluster(nodes=2, start_s=120.0, drain_s=15.0):
    return Cluster(nodes, lambda _: start_s, drain_s)


def test_a_node_serves_once_its_start_is_over_and_costs_from_its_request():
    held = cluster()
    held.ask(4, now_s=30.0)
    assert (len(held.serving(30.0)), held.paid(30.0)) == (2, 4)
    assert len(held.serving(149.9)) == 2
    assert len(held.serving(150.0)) == 4


def test_a_node_that_is_let_go_hands_on_its_streams_at_once_and_is_paid_until_it_has_drained():
    held = cluster(nodes=3)
    held.ask(1, now_s=60.0)
    assert (len(held.serving(60.0)), held.paid(60.0)) == (1, 3)
    assert held.paid(75.0) == 1


def test_nodes_that_have_not_started_go_first_and_cost_nothing_more():
    held = cluster()
    held.ask(5, now_s=0.0)
    held.ask(3, now_s=15.0)
    assert held.paid(15.0) == 3
    assert [node.number for node in held.serving(200.0)] == [0, 1, 2]


def test_a_node_that_died_is_replaced_and_the_count_in_force_stays():
    held = cluster(nodes=3)
    held.kill(1, now_s=10.0)
    assert [node.number for node in held.serving(10.0)] == [0, 2]
    assert held.reached(10.0) == 3
    assert [node.number for node in held.serving(130.0)] == [0, 2, 3]


def test_what_is_in_force_follows_the_nodes_that_are_ready_until_all_are():
    starts = iter([60.0, 120.0])
    held = Cluster(1, lambda _: next(starts))
    held.ask(3, now_s=0.0)
    assert [held.reached(time_s) for time_s in (0.0, 60.0, 119.0, 120.0)] == [1, 2, 2, 3]


def test_no_node_is_left_to_kill_where_none_serves():
    held = cluster(nodes=1)
    held.kill(0, now_s=0.0)
    held.kill(0, now_s=1.0)
    assert held.serving(119.0) == []
    assert len(held.serving(120.0)) == 1
