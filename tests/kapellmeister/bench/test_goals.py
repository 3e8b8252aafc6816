"""Figures of benchmarks held against their goals."""

import math
from typing import Any

import pytest

from kapellmeister.bench.goal import at_least, at_most, judged, within
from kapellmeister.bench.servers.windows import Attached, Window
from kapellmeister.bench.sidecar import SidecarReport, _confirmed, _rate, _rates, _waited_s
from kapellmeister.machine.description import describe_machine


def sidecar(errors: int = 0, **other: Any) -> Attached:
    window = Window(seconds=12.0, errors=errors, gap_ms=0.0)
    usual = {
        "onset": window,
        "window": window,
        "first_action_s": 1.05,
        "turns": ("thread_classes: audio normal -> realtime 60",),
        "verdicts": ("confirmed",),
        "bottlenecks": {"preemption": 3},
        "period_frames": 256,
        "cpu_share": 0.01,
    }
    return Attached.model_validate(usual | other)


def report(acting: list[Attached]) -> SidecarReport:
    """Of runs beside one in shadow with a hundred errors a second."""
    return SidecarReport(
        server="pipewire",
        machine=describe_machine(),
        hogs=4,
        shadow=[sidecar(errors=1200)],
        acting=acting,
        allowed_s=2.0,
        errors_per_s_shadow=_rates([sidecar(errors=1200)]),
        errors_per_s_acting=_rates(acting),
        ratio=_rate(acting) / 100.0,
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (at_most(0.5, 0.5, " %"), "<= 0.5 %: met"),
        (at_most(math.inf, 2.0), "<= 2: not met"),
        (at_most(None, 2.0), "<= 2: too little data"),
        (at_least(99_999, 100_000), ">= 100,000: not met"),
        (within(-0.06, 0.05), "within 5%: not met"),
        (judged("raised", True), "raised: met"),
    ],
)
def test_a_goal_says_whether_it_was_met(said, words):
    assert said == words


@pytest.mark.parametrize(
    ("bottleneck", "first_action_s", "waited_s"),
    [("preemption", 1.05, 1.05), ("preemption", None, math.inf), ("steal", None, None)],
)
def test_an_action_that_never_came_is_a_goal_not_met(bottleneck, first_action_s, waited_s):
    attached = sidecar(
        bottlenecks={bottleneck: 3}, first_action_s=first_action_s, turns=(), verdicts=()
    )
    assert _waited_s(attached) == waited_s


@pytest.mark.parametrize(
    ("acting", "confirmed"),
    [
        ([sidecar(errors=0)], True),
        ([sidecar(errors=0), sidecar(errors=0, verdicts=("fell short",))], False),
        ([sidecar(errors=0), sidecar(errors=600, verdicts=("fell short",))], True),
        ([sidecar(errors=0, verdicts=(None,))], False),
        ([sidecar(errors=0, turns=(), verdicts=())], None),
        ([sidecar(errors=61)], None),
    ],
)
def test_a_change_is_to_be_confirmed_where_misses_ended(acting, confirmed):
    assert _confirmed(report(acting)) is confirmed


def test_each_goal_of_a_report_is_written_as_met_or_not():
    goals = report([sidecar(errors=12)]).model_dump()["goals"]
    assert goals["acting / in shadow"] == "<= 0.05: met"
    assert goals["verdicts"] == "confirmed where misses ended: met"
    assert goals["turned"] == "no period: met"
    assert goals["errors a second, acting"] == "median <= 0.5: not met"
