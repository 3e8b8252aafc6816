"""Frames per block: the last resort."""

from __future__ import annotations

from collections.abc import Iterator

from policies.conductor.alternatives import Alternative
from policies.conductor.evidence import RecentMisses, bearable
from policies.conductor.remedies.effects import fewer_misses, fewer_xruns
from policies.conductor.situation import Situation
from policies.diagnosis import TOO_MUCH_FOR_A_NODE
from policies.knobs import Choice
from policies.proposal import Action


def longer_period(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """The last resort, since the change itself interrupts the sound."""
    knob, now = situation.knobs["period_frames"], situation.settings["period_frames"]
    if not isinstance(knob.domain, Choice) or not isinstance(now, int):
        return
    longer = [each for each in knob.domain.values if isinstance(each, int) and each > now]
    if not longer:
        yield Alternative("longer period", why_not=f"{now} frames are the most allowed")
        return
    overloaded = situation.diagnosis.bottleneck in TOO_MUCH_FOR_A_NODE
    # Work that grows with the period is no smaller part of a longer one: that is tried once.
    step = "longer period" if overloaded else f"period_{longer[0]}"
    if (why_not := bearable(situation, recent)) is not None:
        yield Alternative(step, why_not=f"it interrupts the sound; {why_not}")
        return
    gain = (
        f"a period of {longer[0]} frames instead of {now} leaves more time for each block, and "
        f"the change interrupts the sound for up to {knob.disruption_ms:.0f} ms"
    )
    effect = (fewer_misses if overloaded else fewer_xruns)(situation, recent)
    reason = f"{situation.diagnosis.summary}; {gain}"
    yield Alternative(step, Action("period_frames", longer[0], reason, effect))
