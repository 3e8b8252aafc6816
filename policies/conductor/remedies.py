"""What helps against the bottleneck that is diagnosed, the cheapest first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scipy.special import pdtrik

from policies.conductor import batching, threads, vram
from policies.conductor.alternatives import (
    NODES_STEP,
    Alternative,
    bounds_of_nodes,
    is_explained,
    missed,
)
from policies.conductor.node_capacity import nodes_in_force
from policies.conductor.nodes import RESERVE_SHARE
from policies.conductor.outlook import Outlook
from policies.diagnosis import Bottleneck
from policies.knobs import AnyThreadClasses, Choice, KnobValue, ThreadClasses
from policies.observation import fresh
from policies.policy import Context
from policies.proposal import Action, Effect, Expectation

PREEMPTED_MISS_RATE = 0.2
"""What other threads can cost audio that they pre-empt, until enough intervals have shown it.

Four spinners on two processors made static miss 1 to 17 % in successive seconds; an interval
that saw the onset, or only a breach, would promise far too little.
"""
BAD_INTERVALS = 3
"""So many of the last ten must have been bad before the sound is interrupted to mend it."""
STOLEN_INTERVALS = 6
"""The same where the hypervisor is to blame, which may leave off by itself."""
RARE, ROUNDING = 0.01, 1e-6
"""The chance at which a few late periods are no chance any more; and what sums may be off."""
PROMPTER = 0.2
"""Part of the delay that is left once audio runs before ordinary threads."""


@dataclass(frozen=True, slots=True)
class Lately:
    """What was missed in the last intervals.

    `bad_intervals` missed more than the target since a change was last judged. `worst` is the
    most that any missed with the settings in force; None while too few of them were bad. With
    these settings all `intervals` together missed `total` times what is due in one.
    """

    bad_intervals: int
    worst: float | None
    total: float = 0.0
    intervals: int = 0


def remedies(context: Context, outlook: Outlook | None, lately: Lately) -> Iterator[Alternative]:
    """What helps against the diagnosed bottleneck, in its order.

    Whatever the plant lacks is left out. Where a model explains what is missed, batches and
    nodes are not turned for what one interval shows; nor is ever the period.
    """
    modelled: tuple[str, ...] = ()
    if outlook is not None and outlook.latency is not None and is_explained(context, outlook):
        modelled = ("batch_size", "nodes")
    for knob in _in_order(context):
        if knob in context.knobs and knob in context.settings and knob not in modelled:
            yield from _against_the_bottleneck(knob, context, outlook, lately)


def larger_batches(context: Context, lately: Lately) -> Iterator[Alternative]:
    """Those that save calls, the most first."""
    if "batch_size" not in context.knobs or "batch_size" not in context.settings:
        return
    domain, streams = context.knobs["batch_size"].domain, fresh(context.observation.load)
    now, nodes = context.settings["batch_size"], nodes_in_force(context) or 1
    if not isinstance(domain, Choice) or not isinstance(now, int) or now < 1 or streams is None:
        return
    if (why_not := _by_chance(context, lately)) is not None:
        yield Alternative("larger batch", why_not=why_not)
        return
    larger = batching.larger(domain, now, streams, nodes)
    if not larger:
        yield Alternative("larger batch", why_not="saves no kernel call")
    calls = batching.calls_per_block(streams, nodes, now)
    for value in larger:
        fewer = batching.calls_per_block(streams, nodes, value)
        gain = f"a block takes {calls} calls of {now} streams, and {fewer} with {value}"
        yield _relieving(context, lately, "batch_size", value, f"batch_{value}", gain)


def _against_the_bottleneck(
    knob: str, context: Context, outlook: Outlook | None, lately: Lately
) -> Iterator[Alternative]:
    if knob == "thread_classes":
        yield from _thread_steps(context, lately)
    elif knob == "batch_size":
        yield from larger_batches(context, lately)
    elif knob == "vram_block_bytes":
        yield from _smaller_blocks(context, lately)
    elif knob == "nodes":
        yield from _one_more_node(context, outlook, lately)
    elif knob == "period_frames":
        yield from _longer_period(context, lately)


def _in_order(context: Context) -> tuple[str, ...]:
    """The knobs that help, the cheapest first; but nodes that serve before a batch is judged."""
    helpful = context.diagnosis.helpful_knobs
    nodes, batch = context.knobs.get("nodes"), context.knobs.get("batch_size")
    if context.diagnosis.bottleneck is Bottleneck.QUEUEING or nodes is None or batch is None:
        return helpful
    judged_s = context.delays_s.get("batch_size", batch.delay_s) + batch.settle_s
    if context.delays_s.get("nodes", nodes.delay_s) > judged_s:
        return helpful
    return tuple(sorted(helpful, key=lambda knob: knob != "nodes"))


def _thread_steps(context: Context, lately: Lately) -> Iterator[Alternative]:
    domain = context.knobs["thread_classes"].domain
    now = context.settings["thread_classes"]
    if not isinstance(domain, AnyThreadClasses) or not isinstance(now, ThreadClasses):
        return
    processors = _processors(context)
    for step in threads.steps(domain, now, context.objective.priority, processors):
        yield _relieving(context, lately, "thread_classes", step.classes, step.name, step.gain)


def _smaller_blocks(context: Context, lately: Lately) -> Iterator[Alternative]:
    """What is lost to fragmentation holds streams again."""
    domain, now = context.knobs["vram_block_bytes"].domain, context.settings["vram_block_bytes"]
    if not isinstance(domain, Choice) or not isinstance(now, int):
        return
    value = vram.smaller(domain, now)
    if value is None:
        yield Alternative("smaller blocks", why_not="these are the smallest")
        return
    wasted = fresh(context.observation.get("gpu.fragmentation_share")) or 0.0
    gain = f"blocks of {value} bytes waste less than the {wasted:.0%} that is lost now"
    yield _relieving(context, lately, "vram_block_bytes", value, f"block_{value}", gain)


def _longer_period(context: Context, lately: Lately) -> Iterator[Alternative]:
    """The last resort, since the change itself interrupts the sound."""
    knob, now = context.knobs["period_frames"], context.settings["period_frames"]
    if not isinstance(knob.domain, Choice) or not isinstance(now, int):
        return
    longer = [each for each in knob.domain.values if isinstance(each, int) and each > now]
    if not longer:
        yield Alternative("longer period", why_not=f"{now} frames are the most allowed")
        return
    overloaded = context.diagnosis.bottleneck is Bottleneck.OVERLOAD
    # Work that grows with the period is no smaller part of a longer one: that is tried once.
    step = "longer period" if overloaded else f"period_{longer[0]}"
    if (why_not := _bearable(context, lately)) is not None:
        yield Alternative(step, why_not=f"it interrupts the sound; {why_not}")
        return
    gain = (
        f"a period of {longer[0]} frames instead of {now} leaves more time for each block, and "
        f"the change interrupts the sound for up to {knob.disruption_ms:.0f} ms"
    )
    reason = f"{context.diagnosis.summary}; {gain}"
    effect = _fewer_misses(context, lately) if overloaded else _fewer_xruns(context, lately)
    yield Alternative(step, Action("period_frames", longer[0], reason, effect))


def _bearable(context: Context, lately: Lately) -> str | None:
    """Why what is missed does not call for an interruption of the sound; None where it does."""
    stolen = context.diagnosis.bottleneck is Bottleneck.STEAL
    bad, enough = lately.bad_intervals, STOLEN_INTERVALS if stolen else BAD_INTERVALS
    if bad < enough:
        return f"{bad} of {enough} bad intervals yet"
    mean = lately.total / lately.intervals if lately.intervals else None
    if mean is None or mean > context.objective.target_miss_rate:
        return None
    return f"{mean:.2%} missed lately, which is within the target"


def _one_more_node(
    context: Context, outlook: Outlook | None, lately: Lately
) -> Iterator[Alternative]:
    """Because the blocks themselves say so, whatever the model thinks."""
    bounds, now = bounds_of_nodes(context), nodes_in_force(context)
    if now is None or bounds is None:
        return
    if now >= bounds.high:
        yield Alternative("another node", why_not=f"there are {now} already, the most allowed")
        return
    if (why_not := _by_chance(context, lately)) is not None:
        yield Alternative("another node", why_not=why_not)
        return
    effect, nodes = _relief(context, lately), now + 1
    if outlook is not None and outlook.latency is None:
        wanted = outlook.needed(outlook.law, bounds.low, bounds.high).nodes
        nodes = max(nodes, min(wanted, now + bounds.step))
    if outlook is not None:
        effect = outlook.law.effect(now, nodes, outlook.load, missed(context))
    reason = f"{context.diagnosis.summary}; {nodes} nodes share the work"
    yield Alternative(f"{NODES_STEP}{nodes}", Action("nodes", nodes, reason, effect))


def _by_chance(context: Context, lately: Lately) -> str | None:
    """Of a few late periods whose cause nobody knows, no capacity cures the next."""
    blocks, load = context.observation.blocks, fresh(context.observation.load)
    if context.diagnosis.bottleneck is not Bottleneck.UNKNOWN or blocks is None or load is None:
        return None
    due, target = blocks.submitted / max(1.0, load), context.objective.target_miss_rate
    late_now, late = due * missed(context), due * lately.total
    allowed = _most_by_chance(target * due * lately.intervals)
    if late_now > _most_by_chance(target * due) or late > allowed:
        return None
    return f"{max(late_now, late):.2g} periods were late of late, as may be by chance on target"


def _most_by_chance(expected: float) -> float:
    """So many late periods come one time in a hundred where so many are expected (Poisson)."""
    return math.ceil(max(0.0, float(pdtrik(1.0 - RARE, expected)))) + ROUNDING


def _relieving(
    context: Context, lately: Lately, knob: str, value: KnobValue, step: str, gain: str
) -> Alternative:
    reason = f"{context.diagnosis.summary}; {gain}"
    return Alternative(step, Action(knob, value, reason, _relief(context, lately)))


def _relief(context: Context, lately: Lately) -> Effect:
    """The promise that what is missed now will not be, at whatever load."""
    if fresh(context.observation.miss_rate) is None:
        return _prompter(context)
    lost, target = missed(context), context.objective.target_miss_rate
    preempted = context.diagnosis.bottleneck is Bottleneck.PREEMPTION
    assumed = PREEMPTED_MISS_RATE if preempted else target
    unchanged = max(lost, assumed if lately.worst is None else lately.worst)
    load = fresh(context.observation.load) or 0.0
    return Effect("miss_rate", "of the blocks", (Expectation(load, 0.0, unchanged),))


def _prompter(context: Context) -> Effect:
    """Where nobody counts blocks: the promise that audio runs sooner after it wakes."""
    delay_ms = fresh(context.observation.get("audio.run_delay_per_wake_ms")) or 0.0
    load = fresh(context.observation.load) or 0.0
    expectation = Expectation(load, PROMPTER * delay_ms, delay_ms)
    return Effect("audio.run_delay_per_wake_ms", "ms", (expectation,))


def _fewer_xruns(context: Context, lately: Lately) -> Effect:
    """Half as many interruptions; a longer period makes each of them longer."""
    xruns = fresh(context.observation.get("audio.xruns_per_s"))
    if xruns is None:
        return _relief(context, lately)
    load = fresh(context.observation.load) or 0.0
    return Effect("audio.xruns_per_s", "a second", (Expectation(load, xruns / 2, xruns),))


def _fewer_misses(context: Context, lately: Lately) -> Effect:
    """Half as many of the cycles, of which there are fewer in a longer period anyway."""
    relief = _relief(context, lately)
    halved = (replace(each, changed=each.unchanged / 2) for each in relief.curve)
    return replace(relief, curve=tuple(halved))


def _processors(context: Context) -> int:
    """How many processors carry the audio threads with the reserve; one each if unknown."""
    nodes = nodes_in_force(context) or 1
    busy = fresh(context.observation.get("audio.utilisation"))
    return nodes if busy is None else max(1, math.ceil(nodes * busy / (1.0 - RESERVE_SHARE)))
