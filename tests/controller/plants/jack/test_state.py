"""Cycles and misses of a JACK server between two lines of its monitor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.plants.jack.state import JackState, counts_between
from policies.observation import BlockCounts

BEFORE = JackState(
    time_ns=0,
    period_frames=480,
    sample_rate_hz=48_000,
    server="7:1",
    frames=0,
    realtime=False,
    dsp_load=0.1,
    xruns=0,
    graph=0,
    gap_ms=0.0,
    freewheel=False,
    joined=0,
)
PLAYED = replace(BEFORE, time_ns=1_000_000_000, frames=48_000)


@pytest.mark.parametrize(
    ("now", "lost"),
    [
        (PLAYED, 0),
        (replace(PLAYED, xruns=3), 3),
        (replace(PLAYED, gap_ms=50.0), 5),
        (replace(PLAYED, xruns=2, gap_ms=30.0), 5),
        (replace(PLAYED, frames=48_000 - 2 * 480), 0),
        (replace(PLAYED, frames=18_000, xruns=1), 62),
        (replace(PLAYED, frames=0), 100),
        (replace(PLAYED, frames=96_000), 0),
    ],
    ids=["all", "xruns", "gap", "both", "about to begin", "stall", "nothing", "more than were due"],
)
def test_a_cycle_that_never_began_is_missed_as_one_with_an_xrun_is(
    now: JackState, lost: int
) -> None:
    assert counts_between(BEFORE, now)[0] == BlockCounts(on_time=100 - lost, lost=lost)


def test_a_monitor_that_was_started_again_counts_xruns_from_the_beginning() -> None:
    counts = counts_between(replace(BEFORE, xruns=9), replace(PLAYED, xruns=1))
    assert counts == (BlockCounts(on_time=99, lost=1), 1)


def test_frames_that_are_counted_from_the_beginning_once_a_day_hide_nothing() -> None:
    before = replace(BEFORE, frames=(1 << 32) - 24_000)
    assert counts_between(before, replace(PLAYED, frames=24_000))[0].lost == 0
    assert counts_between(before, replace(PLAYED, frames=0))[0].lost == 50


def test_of_the_time_between_two_servers_no_cycle_is_known() -> None:
    assert counts_between(BEFORE, replace(PLAYED, server="8:1"))[0].submitted == 0
