"""Faults come as scripted, and change a plant and its reports."""

from __future__ import annotations

import pytest

from controller.errors import ScenarioError
from policies.observation import BlockCounts, Invalid, Missing, Observation, Stale, Value
from simulators.plant.conditions import UNDISTURBED, Conditions
from simulators.plant.faults import KINDS, Fault, Schedule, random_schedule, read_scenario


def scenario(tmp_path, text):
    path = tmp_path / "faults.toml"
    path.write_text(text)
    return path


def test_a_scenario_is_read_with_units_and_defaults(tmp_path):
    text = """
    [[fault]]
    kind = "slow_gpu"
    at = "2h"
    for = "15m"
    amount = 3

    [[fault]]
    kind = "node_death"
    at = 90
    node = 2
    """
    read = read_scenario(scenario(tmp_path, text)).faults
    assert read == (
        Fault("node_death", 90.0, 600.0, 1.0, 2),
        Fault("slow_gpu", 7200.0, 900.0, 3.0),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[fault]]\nkind = "meteor"\nat = 1', "no such kind 'meteor'; known: .*node_death"),
        ('[[fault]]\nkind = "node_death"', "at None is not a time"),
        ('[[fault]]\nkind = "node_death"\nat = "soon"', "at 'soon' is not a time"),
        ('[[fault]]\nkind = "node_death"\nat = -5', "at -5 is not a time"),
        ('[[fault]]\nkind = "node_death"\nat = nan', "at nan is not a time"),
        (
            '[[fault]]\nkind = "link_loss"\nat = 1\namount = 2',
            "amount 2 is not a number from 0 to 1",
        ),
        ('[[fault]]\nkind = "link_loss"\nat = 1\namount = nan', "amount nan"),
        ('[[fault]]\nkind = "node_death"\nat = 1\nnode = -1', "node -1"),
        (
            '[[fault]]\nkind = "node_death"\nat = 1\ncolour = 1',
            "no such key 'colour'; known: amount",
        ),
        ("faults = 3", "something else"),
        ("fault = 3", "something else"),
        ("[[fault]", "not TOML"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused_in_one_line(tmp_path, text, says):
    with pytest.raises(ScenarioError, match=says) as caught:
        read_scenario(scenario(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "faults.toml" in str(caught.value)


def test_a_scenario_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match="No such file"):
        read_scenario(tmp_path / "none.toml")


def test_random_faults_belong_to_their_seed():
    day = 86_400.0
    assert random_schedule(1, 10 * day, 5.0) == random_schedule(1, 10 * day, 5.0)
    assert random_schedule(1, 10 * day, 5.0) != random_schedule(2, 10 * day, 5.0)
    counts = [len(random_schedule(seed, 10 * day, 5.0).faults) for seed in range(30)]
    assert 40 < sum(counts) / 30 < 60
    assert {
        each.kind for seed in range(9) for each in random_schedule(seed, 10 * day, 9).faults
    } == set(KINDS)


def test_an_interval_feels_the_faults_that_touch_it():
    schedule = Schedule((Fault("slow_gpu", 100.0, 50.0, 2.0), Fault("noisy_neighbour", 0.0, 500.0)))
    felt = [
        Conditions.of(schedule, from_s, from_s + 10.0).slowdown
        for from_s in (80, 90, 100, 140, 150)
    ]
    assert felt == [1.0, 1.0, 2.0, 2.0, 1.0]
    assert Conditions.of(schedule, 600.0, 610.0) is UNDISTURBED


def test_a_death_is_felt_once_and_slow_parts_multiply():
    schedule = Schedule(
        (Fault("node_death", 12.0, 60.0, node=3),) + (Fault("slow_gpu", 0.0, 60.0, 2.0),) * 2
    )
    first, second = (Conditions.of(schedule, from_s, from_s + 10.0) for from_s in (10.0, 20.0))
    assert (first.deaths, second.deaths, second.slowdown) == ((3,), (), 4.0)


SEEN = Observation(100.0, 10.0, Value(7.0), blocks=BlockCounts(9, 1), readings={"a": Value(1.0)})
LAST = Observation(80.0, 10.0, Value(5.0), blocks=BlockCounts(8, 0), readings={"a": Value(2.0)})


@pytest.mark.parametrize(
    ("kind", "load", "reading"),
    [
        ("telemetry_stale", Stale(5.0, 20.0), Stale(2.0, 20.0)),
        ("telemetry_frozen", Value(5.0), Value(2.0)),
        ("telemetry_nan", Invalid, Invalid),
        ("telemetry_missing", Missing, Missing),
    ],
)
def test_telemetry_arrives_as_typed_trouble(kind, load, reading):
    schedule = Schedule((Fault(kind, 0.0, 1000.0),))
    told = Conditions.of(schedule, 90.0, 100.0).distort(SEEN, LAST)
    assert told.time_s == 100.0
    for wanted, got in ((load, told.load), (reading, told.get("a"))):
        assert isinstance(got, wanted) if isinstance(wanted, type) else got == wanted


def test_nothing_is_distorted_where_nothing_is_wrong():
    assert UNDISTURBED.distort(SEEN, LAST) is SEEN
