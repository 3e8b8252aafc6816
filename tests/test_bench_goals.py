"""Figures of benchmarks held against their goals."""

import math

import pytest

from kapellmeister.bench.goal import at_least, at_most, judged, within


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
