"""Figures of benchmarks held against their goals."""

import math

import pytest

from kapellmeister.bench.goal import at_least, at_most, judged, within
from kapellmeister.bench.sidecar import _waited_s
from kapellmeister.bench.windows import Attached, Window


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
    window = Window(seconds=12.0, errors=30, gap_ms=0.0)
    attached = Attached(
        onset=window,
        window=window,
        first_action_s=first_action_s,
        turns=(),
        verdicts=(),
        bottlenecks={bottleneck: 3},
        period_frames=256,
        cpu_share=0.01,
    )
    assert _waited_s(attached) == waited_s
