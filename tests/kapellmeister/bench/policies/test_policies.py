"""Counts of `bench policies`, on ticks and seconds made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import KNOBS

from controller.load.trace import LoadTrace
from controller.tick import ForecastSummary, Tick
from kapellmeister.bench.policies.directions import Directions
from kapellmeister.bench.policies.disturbances import (
    SETTLING_S,
    Disturbance,
    NodesAlone,
    growth_after_s,
    misses_end_after_s,
)
from kapellmeister.bench.policies.faults import with_silences
from policies.diagnosis import Bottleneck, Diagnosis
from policies.knobs import Direction, Settings
from policies.objective import Objective
from policies.observation import Invalid, Missing, Observation, Stale, Value
from policies.policy import Context
from policies.proposal import (
    Action,
    Change,
    Effect,
    Expectation,
    Proposal,
    Verdict,
    Verification,
)
from simulators.loads.load_path import realise

NOTHING = Diagnosis(Bottleneck.NONE, "nothing")
EXPECTED = Expectation(10.0, 0.0, 0.1)
EFFECT = Effect("miss_rate", "of the blocks", (EXPECTED,))


def change(before, after, knob="nodes", change_id="c1"):
    return Change(change_id, Action(knob, after, "because", EFFECT), before, 0.0, 0.0)


def judged(verdict):
    return Verification("c1", "nodes", verdict, "miss_rate", EXPECTED, 0.1, "measured")


def tick(load, *changes, peak=10.0, verifications=()):
    return Tick(
        number=1,
        time_s=60.0,
        shadow=False,
        observation=Observation(60.0, 60.0, load),
        forecast=ForecastSummary("last_value", True, 60.0, peak, peak, peak),
        diagnosis=NOTHING,
        proposal=Proposal(),
        changes=changes,
        holds=(),
        verifications=verifications,
        refusals=(),
        alarms=(),
        settings=Settings(),
        states={},
        duration_ms=1.0,
        overruns=0,
    )


def counted(*ticks):
    directions = Directions(KNOBS)
    for each in ticks:
        directions(each)
    return directions


@pytest.mark.parametrize(
    "load", [Missing("a gap"), Stale(10.0, 30.0), Invalid("nan is not a finite number")]
)
def test_a_shrink_is_wrong_while_the_load_is_not_known_and_a_growth_is_not(load):
    found = counted(tick(load, change(4, 3)), tick(load, change(3, 4)), tick(load))
    assert (found.blind_ticks, found.blind_shrinks, found.idle_growths) == (3, 1, 0)
    assert (found.ticks, found.actions) == (3, 2)


def test_a_shrink_by_a_load_that_is_known_is_no_mistake():
    found = counted(tick(Value(10.0), change(4, 3)))
    assert (found.actions, found.blind_ticks, found.blind_shrinks) == (1, 0, 0)


def test_every_knob_that_shrinks_counts():
    blind = tick(Missing("a gap"), change(4, 3), change(64, 32, "batch_size", "c2"))
    assert counted(blind).blind_shrinks == 2


def test_a_growth_is_wrong_where_nobody_is_there_and_nobody_expected():
    grown = change(3, 4)
    found = counted(
        tick(Value(0.0), grown, peak=0.0),
        tick(Value(0.0), grown, peak=1.0),
        tick(Value(1.0), grown, peak=0.0),
        tick(Value(0.0), change(4, 3), peak=0.0),
    )
    assert (found.idle_ticks, found.idle_growths, found.actions) == (2, 1, 4)


def test_the_rollback_of_a_growth_is_a_shrink():
    grown = tick(Value(10.0), change(3, 4))
    undone = tick(Missing("a gap"), verifications=(judged(Verdict.ROLLED_BACK),))
    kept = tick(Missing("a gap"), verifications=(judged(Verdict.CONFIRMED),))
    assert counted(grown, undone).blind_shrinks == 1
    assert counted(grown, kept).blind_shrinks == 0
    assert counted(undone).actions == 0


def test_misses_end_once_the_rest_is_within_the_target():
    blocks = np.full(6, 1000)
    assert misses_end_after_s(blocks, np.array([0, 500, 900, 2, 1, 0]), 0.001) == 3
    assert misses_end_after_s(blocks, np.array([0, 1, 1, 0, 1, 0]), 0.001) == 0
    assert misses_end_after_s(blocks, np.full(6, 7), 0.001) == 6


def test_the_first_growth_of_a_knob_is_found_among_other_turns():
    turned = (
        (1.0, Direction.GROW, "batch_size", "128"),
        (2.0, Direction.SHRINK, "nodes", "3"),
        (3.0, Direction.GROW, "nodes", "9"),
        (5.0, Direction.GROW, "nodes", "10"),
    )
    assert growth_after_s(turned, "nodes") == 3.0
    assert growth_after_s(turned[:2], "nodes") is None


def test_the_load_rises_at_once_and_falls_again():
    trace = Disturbance(10_000, 2.0, 60, 90).trace()
    streams = realise(trace, 1.0, 1).streams
    assert streams.size == SETTLING_S + 90
    assert 9500 < streams[:SETTLING_S].min() < streams[:SETTLING_S].max() < 10_500
    assert streams[SETTLING_S : SETTLING_S + 60].min() > 19_000
    assert streams[SETTLING_S + 60 :].max() < 10_500


def test_nobody_is_there_in_the_second_half_of_twelve_hours():
    hours = 3600.0
    trace = LoadTrace(
        "hourly", (0.0, 5 * hours, 6 * hours, 11 * hours, 12 * hours), (7.0, 7.0, 7.0, None, 7.0)
    )
    assert with_silences(trace).streams == (7.0, 7.0, 0.0, 0.0, 7.0)


class TurnsEverything:
    name = "turns_everything"

    def decide(self, context, state):
        actions = tuple(Action(knob, 8, "because", EFFECT) for knob in ("nodes", "batch_size"))
        return Proposal(actions), [*(state or []), sorted(context.knobs)]


def test_from_its_time_on_a_policy_sees_and_turns_the_nodes_alone():
    policy = NodesAlone(TurnsEverything(), 100.0)
    everything, state = policy.decide(at(100.0), None)
    nodes, state = policy.decide(at(101.0), state)
    assert [each.knob for each in everything.actions] == ["nodes", "batch_size"]
    assert [each.knob for each in nodes.actions] == ["nodes"]
    assert state == [["batch_size", "nodes", "thread_classes"], ["nodes"]]


def at(time_s):
    return Context(
        time_s=time_s,
        objective=Objective(5.0, 0.001),
        observation=Observation(time_s, 1.0, Value(10.0)),
        forecast=None,
        diagnosis=NOTHING,
        knobs=KNOBS,
        settings=Settings(),
        states={},
        unavailable={},
    )
