"""Rows of `bench hardware`: what was measured, what was not and why, and in which time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controller.errors import Interruption
from controller.executors.gpu.devices.emulated import EmulatedDevice
from kapellmeister.bench.hardware.experiment import NEEDS_CUDA, Experiment
from kapellmeister.bench.hardware.figures import Absent, Goal, Measured, Planned
from kapellmeister.bench.hardware.measure import share_s
from kapellmeister.bench.hardware.rig import SMALL, Rig
from kapellmeister.bench.spread import Spread

EMULATED = Rig("emulated", EmulatedDevice(), SMALL)
REAL = Rig("cuda", EmulatedDevice(), SMALL)
ROWS = (
    Planned("first", "ms", Goal(30.0)),
    Planned("second", "%", Goal(10.0, is_most=True), 68.0),
)


def breaks(rig: Rig, seconds: float) -> Iterator[Measured | Absent]:
    yield Measured("first", Spread(median=40.0, lowest=35.0, highest=41.0), 45.0)
    raise MemoryError("no room\nat all")


def experiment(take=breaks, **other) -> Experiment:
    return Experiment("part", ROWS, 1.0, take, **other)


def test_what_fails_half_way_keeps_its_rows_and_says_why_of_the_others() -> None:
    first, second = experiment().run(REAL, 1.0)
    assert first.measured == Spread(median=40.0, lowest=35.0, highest=41.0)
    assert (first.p99, first.goal, first.why_not) == (45.0, ">= 30: met", "")
    assert second.measured is None
    assert second.why_not == "MemoryError: no room at all"
    assert (second.goal, second.document) == ("<= 10: not measured", 68.0)


def test_an_emulated_device_is_held_to_no_goal_of_a_gpu() -> None:
    assert [row.goal for row in experiment().run(EMULATED, 1.0)] == [
        ">= 30: not measured",
        "<= 10: not measured",
    ]


def test_a_goal_of_any_machine_is_judged_on_an_emulated_device_too() -> None:
    goal = Goal(1e-5, is_most=True, is_of_gpu=False)
    row = Planned("error", "", goal).row("part", Measured.once("error", 2e-5), is_real=False)
    assert row.goal == "<= 1e-05: not met"


def test_what_needs_cuda_says_so() -> None:
    rows = list(experiment(needs_cuda=True).run(EMULATED, 1.0))
    assert [row.why_not for row in rows] == [NEEDS_CUDA, NEEDS_CUDA]


def test_what_there_is_no_time_for_says_how_much_it_needs() -> None:
    rows = list(experiment(least_s=18.0).run(REAL, 2.5))
    assert rows[1].why_not == "needs 18 s, and its share of the budget left was 2.50 s"


def test_a_row_that_nobody_gave_is_not_forgotten() -> None:
    rows = list(experiment(lambda rig, seconds: iter(())).run(REAL, 1.0))
    assert [row.why_not for row in rows] == ["the experiment told nothing of it"] * 2


def test_a_person_who_breaks_off_is_heard() -> None:
    def stopped(rig: Rig, seconds: float) -> Iterator[Measured | Absent]:
        yield Absent("first", "for a reason")
        raise Interruption

    rows = experiment(stopped).run(REAL, 1.0)
    assert next(rows).why_not == "for a reason"
    with pytest.raises(Interruption):
        next(rows)


def test_time_is_shared_out_among_those_that_can_be_begun() -> None:
    long = experiment(least_s=50.0)
    assert share_s([experiment(), experiment()], REAL, 40.0) == 20.0
    assert share_s([experiment(), experiment(), long, long], REAL, 40.0) == 20.0
