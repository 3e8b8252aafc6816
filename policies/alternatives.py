"""What could be turned, knob by knob, cheapest first, and what it would bring."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from policies import batching, threads, vram
from policies.capacity import Capacity, nodes_in_force
from policies.diagnosis import Bottleneck
from policies.knobs import AnyThreadClasses, Bounds, Choice, KnobValue, ThreadClasses
from policies.nodes import RESERVE_SHARE, NodeLaw, Staffing, staffed
from policies.objective import CHANCE_PERIODS
from policies.observation import fresh
from policies.outlook import TAIL, Outlook
from policies.policy import Context
from policies.proposal import Action, Effect, Expectation

PREEMPTED_MISS_RATE = 0.2
"""What other threads can cost audio that they pre-empt, until enough intervals have shown it.

Four spinners on two processors made static miss 1 to 17 % in successive seconds; an interval
that saw the onset, or only a breach, would promise far too little.
"""
WORTH_IT = 0.02
"""Another setting must save this part of the nodes, or noise at the edge would undo it."""
BAD_INTERVALS = 3
"""So many of the last ten must have been bad before the sound is interrupted to mend it."""
STOLEN_INTERVALS = 6
"""The same where the hypervisor is to blame, which may leave off by itself."""
PROMPTER = 0.2
"""Part of the delay that is left once audio runs before ordinary threads."""
LEAVES_FOR = 0.25
"""What a node must save to leave, where no model says what it carries, or it would soon be back."""
NODES_STEP = "nodes_"
UNEXPLAINED = 3.0
"""More than so many times the misses that the model expects have another cause than the load."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One thing that could be done; `action` is None where it is not open, and `why_not` says why.

    `step` tells it from the others and stays the same when its figures change.
    """

    step: str
    action: Action | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Lately:
    """What was missed in the last intervals.

    `bad_intervals` missed more than the target since a change was last judged. `worst` is the
    most that any missed with the settings in force; None while too few of them were bad. All of
    those together missed `total` times what is due in one.
    """

    bad_intervals: int
    worst: float | None
    total: float = 0.0


def remedies(context: Context, outlook: Outlook | None, lately: Lately) -> Iterator[Alternative]:
    """What helps against the diagnosed bottleneck, in its order.

    Whatever the plant lacks is left out. Where a model explains what is missed, batches and
    nodes are not turned for what one interval shows; nor is ever the period.
    """
    modelled: tuple[str, ...] = ()
    if outlook is not None and outlook.latency is not None and _is_explained(context, outlook):
        modelled = ("batch_size", "nodes")
    for knob in _in_order(context):
        if knob in context.knobs and knob in context.settings and knob not in modelled:
            yield from _against_the_bottleneck(knob, context, outlook, lately)


def retunings(context: Context, outlook: Outlook) -> Iterator[Alternative]:
    """Every other setting of the knobs that act at once, the cheapest first.

    Each is valued with the nodes that it would need, and with what is missed by those in force.
    """
    now, others = nodes_in_force(context), list(_other_settings(context))
    if outlook.latency is None or now is None or not others:
        return
    bounds = _bounds(context) or Bounds(now, now)
    cost = _cost(outlook, outlook.law, now, bounds)
    valued = []
    for knob, value, step in others:
        other = outlook.law_with(context.settings.turned(knob, value))
        if other is not None:
            valued.append((_cost(outlook, other, now, bounds), step, knob, value, other))
    for other_cost, step, knob, value, other in sorted(valued, key=lambda each: each[0]):
        if other_cost > cost - WORTH_IT * now:
            yield Alternative(step, why_not=f"costs {other_cost:.2f} nodes against {cost:.2f} now")
            continue
        reason = (
            f"{_expected(context, outlook)}; misses and nodes together cost "
            f"{other_cost:.2f} nodes with {step} and {cost:.2f} as it is"
        )
        tail = outlook.peaks.quantile(TAIL)
        effect = outlook.law.effect(now, now, tail, missed(context), changed_law=other)
        yield Alternative(step, Action(knob, value, reason, effect))


def savings(context: Context, outlook: Outlook) -> Iterator[Alternative]:
    """Larger batches that may spare a node, where no model tells: whether they do is seen then."""
    bounds, now = _bounds(context), nodes_in_force(context)
    idle = bounds is None or now is None or now <= bounds.low
    if outlook.latency is not None or idle or "batch_size" not in context.knobs:
        return
    if context.diagnosis.bottleneck is Bottleneck.NONE and missed(context) == 0.0:
        larger = _larger_batch(context, Lately(0, 0.0), why="with fewer calls fewer nodes may do")
        yield from (each for each in larger if each.action is not None)


def is_pressed(context: Context, outlook: Outlook) -> bool:
    """Whether the nodes in force may miss more than what another node costs."""
    now = nodes_in_force(context)
    if now is None:
        return False
    return staffed(outlook.law, outlook.peaks, outlook.price, now).cost > now + 1.0


def resizing(
    context: Context, outlook: Outlook, capacity: Capacity, nodes: int
) -> Alternative | None:
    """So many nodes, where they are not asked for already."""
    now, asked = nodes_in_force(context), _asked_for(context)
    if now is None or nodes == asked:
        return None
    step = f"{NODES_STEP}{nodes}"
    if nodes < now and (why_not := _no_shrink(context, outlook, capacity, nodes)) is not None:
        return Alternative(step, why_not=why_not)
    before, after = (
        staffed(outlook.law, outlook.peaks, outlook.price, count) for count in (asked, nodes)
    )
    saved = before.cost - after.cost
    if nodes < now and outlook.latency is None and saved < LEAVES_FOR * (asked - nodes):
        return Alternative(
            step, why_not=f"saves {saved:.2f} nodes, which is too little to leave for"
        )
    figures = f"{_figures(before)}, and {_figures(after)}"
    reason = f"{_expected(context, outlook)}; {figures}; {_cost_in_words(before, after)}"
    effect = outlook.law.effect(now, nodes, outlook.peaks.quantile(TAIL), missed(context))
    return Alternative(step, Action("nodes", nodes, reason, effect))


def missed(context: Context) -> float:
    """The miss rate of the interval, 0 where it is not known."""
    return fresh(context.observation.miss_rate) or 0.0


def _against_the_bottleneck(
    knob: str, context: Context, outlook: Outlook | None, lately: Lately
) -> Iterator[Alternative]:
    if knob == "thread_classes":
        yield from _thread_steps(context, lately)
    elif knob == "batch_size":
        yield from _larger_batch(context, lately)
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
    if context.diagnosis.bottleneck is not Bottleneck.OVERLOAD or nodes is None or batch is None:
        return helpful
    if context.delays_s.get("nodes", nodes.delay_s) > batch.delay_s + batch.settle_s:
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


def _larger_batch(context: Context, lately: Lately, why: str = "") -> Iterator[Alternative]:
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
        gain = f"{gain}: {why}" if why else gain
        yield _relieving(context, lately, "batch_size", value, f"batch_{value}", gain)


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
    stolen = context.diagnosis.bottleneck is Bottleneck.STEAL
    bad, enough = lately.bad_intervals, STOLEN_INTERVALS if stolen else BAD_INTERVALS
    if bad < enough:
        why_not = f"it interrupts the sound; {bad} of {enough} bad intervals yet"
        yield Alternative(step, why_not=why_not)
        return
    gain = (
        f"a period of {longer[0]} frames instead of {now} leaves more time for each block, and "
        f"the change interrupts the sound for up to {knob.disruption_ms:.0f} ms"
    )
    reason = f"{context.diagnosis.summary}; {gain}"
    effect = _fewer_misses(context, lately) if overloaded else _fewer_xruns(context, lately)
    yield Alternative(step, Action("period_frames", longer[0], reason, effect))


def _one_more_node(
    context: Context, outlook: Outlook | None, lately: Lately
) -> Iterator[Alternative]:
    """Because the blocks themselves say so, whatever the model thinks."""
    bounds, now = _bounds(context), nodes_in_force(context)
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
    periods = max(blocks.missed, lately.total * blocks.submitted) / max(1.0, load)
    if periods > CHANCE_PERIODS:
        return None
    return f"{periods:.2g} periods were late of late, and {CHANCE_PERIODS:.0f} may be by chance"


def _other_settings(context: Context) -> Iterator[tuple[str, KnobValue, str]]:
    """One knob turned at a time, of those that act at once and may be turned."""
    for knob in ("batch_size", "vram_block_bytes"):
        found = context.knobs.get(knob)
        if found is not None and isinstance(found.domain, Choice) and knob in context.settings:
            for value in found.domain.others(context.settings[knob]):
                yield knob, value, f"{knob} {value}"
    if "thread_classes" in context.knobs and "thread_classes" in context.settings:
        domain = context.knobs["thread_classes"].domain
        now = context.settings["thread_classes"]
        if isinstance(domain, AnyThreadClasses) and isinstance(now, ThreadClasses):
            for step in threads.steps(domain, now, context.objective.priority):
                yield "thread_classes", step.classes, step.name


def _cost(outlook: Outlook, law: NodeLaw, nodes: int, bounds: Bounds) -> float:
    """Of the nodes that would be cheapest, and of what those in force miss until they come."""
    later = outlook.needed(law, bounds.low, bounds.high).cost
    now = staffed(law, outlook.on_the_way, outlook.price, nodes)
    return later + now.cost - now.nodes


def _no_shrink(context: Context, outlook: Outlook, capacity: Capacity, nodes: int) -> str | None:
    """Nothing shrinks unseen, while more is missed than the load explains, nor into lateness."""
    if context.forecast is None and outlook.forecast_wanted:
        return "nothing shrinks without a forecast of the load"
    if not _is_explained(context, outlook):
        return f"{missed(context):.2%} are missed, which the load does not explain"
    p99_ms = fresh(context.observation.latency.p99_ms)
    if outlook.latency is not None or p99_ms is None:
        return None
    busier = capacity.busier(outlook.load / nodes)
    then_ms, allowed_ms = p99_ms + busier * _period_ms(context), context.objective.deadline_ms
    if then_ms <= allowed_ms:
        return None
    return (
        f"one block in a hundred takes {p99_ms:.1f} ms, and would take {then_ms:.1f} ms of "
        f"{allowed_ms:.1f} ms with {nodes}"
    )


def _period_ms(context: Context) -> float:
    """From one block of a stream to the next; the deadline where nobody counts blocks."""
    load, blocks = fresh(context.observation.load), context.observation.blocks
    if load is None or blocks is None or blocks.submitted <= 0:
        return context.objective.deadline_ms
    return 1000.0 * context.observation.interval_s * load / blocks.submitted


def _is_explained(context: Context, outlook: Outlook) -> bool:
    """Whether about as much is missed as the load makes of the nodes in force."""
    law_says = float(outlook.law.miss_rate(outlook.load, nodes_in_force(context) or 1))
    return missed(context) <= max(outlook.target_miss_rate, UNEXPLAINED * law_says)


def _expected(context: Context, outlook: Outlook) -> str:
    median, high = outlook.peaks.quantile(0.5), outlook.peaks.quantile(TAIL)
    return (
        f"{outlook.load:.0f} {context.observation.load_unit} now, {outlook.peaks.expected_by} a "
        f"peak of {median:.0f} until another node could serve, {high:.0f} one time in a hundred"
    )


def _cost_in_words(before: Staffing, after: Staffing) -> str:
    """Nodes are the unit of cost: there need not be so many."""
    if after.nodes > before.nodes and after.cost >= before.cost:
        return "they save less than they cost, but the highest peak needs them"
    costs = f"{after.cost:.2f} nodes instead of {before.cost:.2f}"
    return f"misses included, that costs as much as {costs}"


def _figures(staffing: Staffing) -> str:
    nodes = f"{staffing.nodes} node{'' if staffing.nodes == 1 else 's'}"
    return f"{nodes} would miss {staffing.miss_rate:.3%}"


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


def _bounds(context: Context) -> Bounds | None:
    knob = context.knobs.get("nodes")
    return knob.domain if knob is not None and isinstance(knob.domain, Bounds) else None


def _asked_for(context: Context) -> int:
    """Nodes asked for, those that have not come yet included."""
    state = context.states.get("nodes")
    requested = None if state is None else state.requested
    return requested if isinstance(requested, int) else nodes_in_force(context) or 1
