"""Training, choosing and judging never share a sample."""

from __future__ import annotations

import pytest

from controller.load.trace import LoadTrace
from simulators.loads.splits import PARTS, family, split

TRACE = LoadTrace("t", tuple(60.0 * k for k in range(101)), tuple(float(k) for k in range(101)))


def test_the_parts_of_a_trace_follow_each_other_and_are_the_whole():
    parts = {part: split(TRACE, part) for part in PARTS}
    assert sum((each.streams for each in parts.values()), ()) == TRACE.streams
    assert [len(each.streams) for each in parts.values()] == [60, 20, 21]
    assert all(each.time_s[0] == 0.0 for each in parts.values())
    assert parts["test"].name == "t/test"


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("radio_tower1_5min.csv", "radio"),
        ("radio_total_1h.csv", "radio"),
        ("taxi/test", "taxi"),
        ("7", "7"),
    ],
)
def test_a_family_is_what_comes_before_the_first_digit_or_separator(name, of):
    assert family(name) == of
