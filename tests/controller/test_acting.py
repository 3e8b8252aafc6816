"""Which knobs may be turned: those of our own plant, and those that were named."""

from __future__ import annotations

import pytest
from fakes import FakePlant, Rig

from controller.config.config import GuardSection, LoopSection
from controller.guard.guard import Guard


def test_only_the_knobs_that_were_named_are_turned():
    rig = Rig(None)
    guard = Guard(GuardSection(), frozenset({"batch_size"}))
    plant = FakePlant(rig.clock)
    seen = plant.observe()
    rig.loop._guard = guard
    rig.loop._actuation.see(plant.knobs(), plant.in_force(), seen.time_s)
    review_context = rig.loop._review_context(seen, None, plant.in_force())
    assert guard.unavailable(review_context) == {
        "thread_classes": "in shadow; `--act thread_classes` lets it be turned",
        "nodes": "in shadow; `--act nodes` lets it be turned",
    }


@pytest.mark.parametrize(
    ("act", "ours", "acting"),
    [
        ("auto", True, None),
        ("auto", False, frozenset()),
        ("all", False, None),
        ("none", True, frozenset()),
        ("nodes, batch_size", False, frozenset({"nodes", "batch_size"})),
    ],
)
def test_what_is_not_ours_is_watched_until_somebody_lets_it_be_turned(act, ours, acting):
    assert LoopSection(act=act).acting(ours=ours) == acting
