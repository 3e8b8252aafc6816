"""What helps against the bottleneck that is diagnosed, the cheapest first."""

from __future__ import annotations

import math
from collections.abc import Iterator

from policies.conductor import batching, threads, vram
from policies.conductor.alternatives import NODES_STEP, Alternative
from policies.conductor.effects import fewer_misses, fewer_xruns, relief
from policies.conductor.evidence import RecentMisses, bearable, by_chance
from policies.conductor.nodes import RESERVE_SHARE
from policies.conductor.outlook import Outlook
from policies.conductor.situation import Situation
from policies.diagnosis import Bottleneck
from policies.knobs import AnyThreadClasses, Bounds, Choice, KnobValue, ThreadClasses
from policies.observation import fresh
from policies.proposal import Action, Effect


def remedies(
    situation: Situation, outlook: Outlook | None, recent: RecentMisses
) -> Iterator[Alternative]:
    """What helps against the diagnosed bottleneck, in its order.

    Whatever the plant lacks is left out. Where a model explains what is missed, batches and
    nodes are not turned for what one interval shows; nor is ever the period.
    """
    missed, nodes = situation.missed, situation.nodes.sharing
    explained = (
        outlook is not None and outlook.latency is not None and outlook.explains(missed, nodes)
    )
    left_alone = ("batch_size", "nodes") if explained else ()
    for knob in _in_order(situation):
        if knob in situation.knobs and knob in situation.settings and knob not in left_alone:
            yield from _against_the_bottleneck(knob, situation, outlook, recent)


def larger_batches(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """Those that save calls, the most first."""
    if "batch_size" not in situation.knobs or "batch_size" not in situation.settings:
        return
    domain, streams = situation.knobs["batch_size"].domain, situation.load
    now, nodes = situation.settings["batch_size"], situation.nodes.sharing
    if not isinstance(domain, Choice) or not isinstance(now, int) or now < 1 or streams is None:
        return
    if (why_not := by_chance(situation, recent)) is not None:
        yield Alternative("larger batch", why_not=why_not)
        return
    larger = batching.larger(domain, now, streams, nodes)
    if not larger:
        yield Alternative("larger batch", why_not="saves no kernel call")
    calls = batching.calls_per_block(streams, nodes, now)
    for value in larger:
        fewer = batching.calls_per_block(streams, nodes, value)
        gain = f"a block takes {calls} calls of {now} streams, and {fewer} with {value}"
        yield _relieving(situation, recent, "batch_size", value, f"batch_{value}", gain)


def _against_the_bottleneck(
    knob: str, situation: Situation, outlook: Outlook | None, recent: RecentMisses
) -> Iterator[Alternative]:
    if knob == "thread_classes":
        yield from _thread_steps(situation, recent)
    elif knob == "batch_size":
        yield from larger_batches(situation, recent)
    elif knob == "vram_block_bytes":
        yield from _smaller_blocks(situation, recent)
    elif knob == "nodes":
        yield from _more_nodes(situation, outlook, recent)
    elif knob == "period_frames":
        yield from _longer_period(situation, recent)


def _in_order(situation: Situation) -> tuple[str, ...]:
    """The knobs that help, the cheapest first; but nodes that serve before a batch is judged."""
    helpful, delays_s = situation.diagnosis.helpful_knobs, situation.delays_s
    batch = situation.knobs.get("batch_size")
    queueing = situation.diagnosis.bottleneck is Bottleneck.QUEUEING
    if queueing or batch is None or "nodes" not in situation.knobs:
        return helpful
    if delays_s["nodes"] > delays_s["batch_size"] + batch.settle_s:
        return helpful
    return tuple(sorted(helpful, key=lambda knob: knob != "nodes"))


def _thread_steps(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    domain = situation.knobs["thread_classes"].domain
    now = situation.settings["thread_classes"]
    if not isinstance(domain, AnyThreadClasses) or not isinstance(now, ThreadClasses):
        return
    processors = _processors(situation)
    for step in threads.steps(domain, now, situation.objective.priority, processors):
        yield _relieving(situation, recent, "thread_classes", step.classes, step.name, step.gain)


def _smaller_blocks(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """What is lost to fragmentation holds streams again."""
    domain = situation.knobs["vram_block_bytes"].domain
    now = situation.settings["vram_block_bytes"]
    if not isinstance(domain, Choice) or not isinstance(now, int):
        return
    value = vram.smaller(domain, now)
    if value is None:
        yield Alternative("smaller blocks", why_not="these are the smallest")
        return
    wasted = fresh(situation.observation.get("gpu.fragmentation_share")) or 0.0
    gain = f"blocks of {value} bytes waste less than the {wasted:.0%} that is lost now"
    yield _relieving(situation, recent, "vram_block_bytes", value, f"block_{value}", gain)


def _longer_period(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """The last resort, since the change itself interrupts the sound."""
    knob, now = situation.knobs["period_frames"], situation.settings["period_frames"]
    if not isinstance(knob.domain, Choice) or not isinstance(now, int):
        return
    longer = [each for each in knob.domain.values if isinstance(each, int) and each > now]
    if not longer:
        yield Alternative("longer period", why_not=f"{now} frames are the most allowed")
        return
    overloaded = situation.diagnosis.bottleneck is Bottleneck.OVERLOAD
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
    yield _step(situation, step, "period_frames", longer[0], gain, effect)


def _more_nodes(
    situation: Situation, outlook: Outlook | None, recent: RecentMisses
) -> Iterator[Alternative]:
    """Because the blocks themselves say so, whatever the model thinks."""
    bounds, now = situation.nodes.bounds, situation.nodes.in_force
    if now is None or bounds is None:
        return
    if now >= bounds.high:
        yield Alternative("another node", why_not=f"there are {now} already, the most allowed")
        return
    if (why_not := by_chance(situation, recent)) is not None:
        yield Alternative("another node", why_not=why_not)
        return
    nodes, effect = now + 1, relief(situation, recent)
    if outlook is not None:
        nodes = _as_many_as_needed(outlook, now, bounds)
        effect = outlook.law.effect(now, nodes, outlook.load, situation.missed)
    gain = f"{nodes} nodes share the work"
    yield _step(situation, f"{NODES_STEP}{nodes}", "nodes", nodes, gain, effect)


def _as_many_as_needed(outlook: Outlook, now: int, bounds: Bounds) -> int:
    """One more where a model weighs the others; without one all that one change can bring."""
    if outlook.latency is not None:
        return now + 1
    wanted = outlook.needed(outlook.law, bounds).nodes
    return max(now + 1, min(wanted, now + bounds.step))


def _relieving(
    situation: Situation, recent: RecentMisses, knob: str, value: KnobValue, step: str, gain: str
) -> Alternative:
    return _step(situation, step, knob, value, gain, relief(situation, recent))


def _step(
    situation: Situation, step: str, knob: str, value: KnobValue, gain: str, effect: Effect
) -> Alternative:
    reason = f"{situation.diagnosis.summary}; {gain}"
    return Alternative(step, Action(knob, value, reason, effect))


def _processors(situation: Situation) -> int:
    """How many processors carry the audio threads with the reserve; one each if unknown."""
    nodes, busy = situation.nodes.sharing, situation.utilisation
    return nodes if busy is None else max(1, math.ceil(nodes * busy / (1.0 - RESERVE_SHARE)))
