"""Effects that remedies promise, to be held against what comes of them."""

from __future__ import annotations

from dataclasses import replace

from policies.conductor.alternatives import Alternative
from policies.conductor.evidence import RecentMisses
from policies.conductor.situation import Situation
from policies.diagnosis import Bottleneck
from policies.knobs import KnobValue
from policies.observation import fresh
from policies.proposal import Action, Effect, Expectation

PREEMPTED_MISS_RATE = 0.2
"""Share of its blocks that audio may miss for other threads, until enough intervals showed it.

Four spinners on two processors made static miss 1 to 17 % in successive seconds; an interval
that saw the onset, or only a breach, would promise far too little.
"""
PROMPTER = 0.2
"""Part of the delay that is left once audio runs before ordinary threads."""


def relief(situation: Situation, recent: RecentMisses) -> Effect:
    """No block that is missed now will be missed, at whatever load."""
    if situation.miss_rate is None:
        return _prompter(situation)
    preempted = situation.diagnosis.bottleneck is Bottleneck.PREEMPTION
    assumed = PREEMPTED_MISS_RATE if preempted else situation.objective.target_miss_rate
    unchanged = max(situation.miss_rate, assumed if recent.worst is None else recent.worst)
    expectation = Expectation(situation.load or 0.0, 0.0, unchanged)
    return Effect("miss_rate", "of the blocks", (expectation,))


def relieving(
    situation: Situation, recent: RecentMisses, knob: str, value: KnobValue, step: str, gain: str
) -> Alternative:
    """A step that promises this relief; `gain` says how."""
    reason = f"{situation.diagnosis.summary}; {gain}"
    return Alternative(step, Action(knob, value, reason, relief(situation, recent)))


def fewer_xruns(situation: Situation, recent: RecentMisses) -> Effect:
    """Half as many interruptions; a longer period makes each of them longer."""
    xruns = fresh(situation.observation.get("audio.xruns_per_s"))
    if xruns is None:
        return relief(situation, recent)
    expectation = Expectation(situation.load or 0.0, xruns / 2, xruns)
    return Effect("audio.xruns_per_s", "a second", (expectation,))


def fewer_misses(situation: Situation, recent: RecentMisses) -> Effect:
    """Half as many of the cycles, of which there are fewer in a longer period anyway."""
    full = relief(situation, recent)
    halved = (replace(each, changed=each.unchanged / 2) for each in full.curve)
    return replace(full, curve=tuple(halved))


def _prompter(situation: Situation) -> Effect:
    """Audio runs sooner after it wakes: what can be promised where nobody counts blocks."""
    delay_ms = fresh(situation.observation.get("audio.run_delay_per_wake_ms")) or 0.0
    expectation = Expectation(situation.load or 0.0, PROMPTER * delay_ms, delay_ms)
    return Effect("audio.run_delay_per_wake_ms", "ms", (expectation,))
