"""Scheduling of the classes of work, from the cheapest step to the dearest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from policies.conductor.alternatives import Alternative
from policies.conductor.evidence import RecentMisses
from policies.conductor.node_law import RESERVE_SHARE
from policies.conductor.remedies.effects import relieving
from policies.conductor.situation import Situation
from policies.knobs import AnyThreadClasses, SchedulingClass, ThreadClass, ThreadClasses
from policies.objective import Priority

REALTIME_PRIORITY = 60
"""Priority of audio where real-time scheduling is permitted and allows as much."""
RAISED_NICE = -11
"""Nice level of audio where real-time scheduling is refused."""


@dataclass(frozen=True, slots=True)
class Step:
    """A way to schedule the classes that favours audio more than now.

    `name` tells it from the others; `gain` says what it should bring.
    """

    name: str
    classes: ThreadClasses
    gain: str


def favouring_audio(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """The steps that are open, each with the relief that it promises."""
    domain = situation.knobs["thread_classes"].domain
    now = situation.settings["thread_classes"]
    if not isinstance(domain, AnyThreadClasses) or not isinstance(now, ThreadClasses):
        return
    processors = _processors(situation)
    for step in steps(domain, now, situation.objective.priority, processors):
        yield relieving(situation, recent, "thread_classes", step.classes, step.name, step.gain)


def steps(
    domain: AnyThreadClasses, now: ThreadClasses, priority: Priority, processors: int = 1
) -> Iterator[Step]:
    """The steps that are permitted and not yet taken, cheapest first.

    None of them interrupts the sound. Real-time scheduling comes first because it alone
    lets audio run at once; those after it help where it is refused or does not suffice.
    `processors` is how many audio needs, should it have them to itself.
    """
    ladder = _ladder(domain, now, priority, processors)
    possible = (replace(step, classes=_only(domain, step.classes, now)) for step in ladder)
    return (step for step in possible if step.classes != now)


def _processors(situation: Situation) -> int:
    """How many processors carry the audio threads with the reserve; one each if unknown."""
    nodes, busy = situation.nodes.sharing, situation.utilisation
    return nodes if busy is None else max(1, math.ceil(nodes * busy / (1.0 - RESERVE_SHARE)))


def _only(domain: AnyThreadClasses, wanted: ThreadClasses, now: ThreadClasses) -> ThreadClasses:
    """Classes as wanted where the plant has them; the others stay, for nothing is there."""
    return replace(now, **{name: each for name, each in wanted.items() if name in domain.classes})


def _ladder(
    domain: AnyThreadClasses, now: ThreadClasses, priority: Priority, processors: int
) -> Iterator[Step]:
    if domain.realtime and not _is_realtime(domain, now.audio):
        yield _realtime(domain, now)
    lowest = SchedulingClass.IDLE if domain.demotion else SchedulingClass.BATCH
    if "background" in domain.classes:
        yield _background_yields(now, lowest)
    if domain.nice and not domain.realtime:
        yield _nice(now)
    if domain.classes & {"analysis", "visualisation"}:
        yield _companions_yield(now, priority, lowest)
    if processors < len(domain.cpus) and domain.classes != {"audio"}:
        yield _own_processors(domain, now, processors)


def _is_realtime(domain: AnyThreadClasses, audio: ThreadClass) -> bool:
    wanted = min(REALTIME_PRIORITY, domain.priority_max)
    return audio.scheduling is SchedulingClass.REALTIME and audio.priority >= wanted


def _realtime(domain: AnyThreadClasses, now: ThreadClasses) -> Step:
    priority = min(REALTIME_PRIORITY, domain.priority_max)
    audio = replace(now.audio, scheduling=SchedulingClass.REALTIME, priority=priority, nice=0)
    gain = f"real-time {priority} lets audio run as soon as a block is there"
    return Step("realtime", replace(now, audio=audio), gain)


def _nice(now: ThreadClasses) -> Step:
    audio = replace(now.audio, nice=min(now.audio.nice, RAISED_NICE))
    gain = f"nice {RAISED_NICE} favours audio, since real-time scheduling is refused here"
    return Step("nice", replace(now, audio=audio), gain)


def _background_yields(now: ThreadClasses, lowest: SchedulingClass) -> Step:
    background = replace(now.background, scheduling=lowest, nice=0)
    idle = lowest is SchedulingClass.IDLE
    gain = "runs only where nothing else would" if idle else "no longer pre-empts when it wakes"
    gain = f"background work {gain}"
    return Step(f"background_{lowest}", replace(now, background=background), gain)


def _companions_yield(now: ThreadClasses, priority: Priority, lowest: SchedulingClass) -> Step:
    """Analysis and pictures give way; which of them further depends on the priority."""
    yielding = {
        Priority.AUDIO: (SchedulingClass.BATCH, lowest),
        Priority.BALANCED: (SchedulingClass.BATCH, SchedulingClass.BATCH),
        Priority.VISUAL: (lowest, now.visualisation.scheduling),
    }[priority]
    analysis, visualisation = (
        _yielding(each, scheduling)
        for each, scheduling in zip((now.analysis, now.visualisation), yielding, strict=True)
    )
    classes = replace(now, analysis=analysis, visualisation=visualisation)
    return Step("companions_yield", classes, "analysis and pictures give way to audio")


def _yielding(found: ThreadClass, scheduling: SchedulingClass) -> ThreadClass:
    return replace(found, scheduling=scheduling, priority=0)


def _own_processors(domain: AnyThreadClasses, now: ThreadClasses, count: int) -> Step:
    """The last processors for audio alone, since interrupts tend to arrive at the first."""
    own = frozenset(sorted(domain.cpus)[-count:])
    rest = domain.cpus - own
    others = {name: replace(each, cpus=rest) for name, each in now.items() if name != "audio"}
    classes = ThreadClasses(audio=replace(now.audio, cpus=own), **others)
    listed = ", ".join(map(str, sorted(own)))
    return Step("own_processor", classes, f"audio has processor {listed} to itself")
