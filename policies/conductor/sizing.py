"""Settings that would cost less, nodes and misses together: batches, blocks, classes, nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from policies.conductor import threads
from policies.conductor.alternatives import (
    NODES_STEP,
    Alternative,
    bounds_of_nodes,
    is_explained,
    missed,
)
from policies.conductor.node_capacity import Capacity, nodes_in_force
from policies.conductor.nodes import NodeLaw, Staffing, staffed
from policies.conductor.outlook import TAIL, Outlook
from policies.conductor.remedies import Lately, larger_batches
from policies.diagnosis import Bottleneck
from policies.knobs import AnyThreadClasses, Bounds, Choice, KnobValue, ThreadClasses
from policies.observation import fresh
from policies.policy import Context
from policies.proposal import Action

WORTH_IT = 0.02
"""Another setting must save this part of the nodes, or noise at the edge would undo it."""
MARGIN = 1.05
"""Without a model a node leaves only where so many times the streams would need it no more: what
is known of its work wavers by some per cent with each that comes or goes."""
SAVING = " to save a node"
"""Ends the name of a step that relieves nothing: it is remembered apart from one that does."""
LEAVES_FOR = 0.25
"""What a node must save to leave, where no model says what it carries, or it would soon be back."""


def retunings(context: Context, outlook: Outlook) -> Iterator[Alternative]:
    """Every other setting of the knobs that act at once, the cheapest first.

    Each is valued with the nodes that it would need, and with what is missed by those in force.
    """
    now, others = nodes_in_force(context), list(_other_settings(context))
    if outlook.latency is None or now is None or not others:
        return
    bounds = bounds_of_nodes(context) or Bounds(now, now)
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
    """The next larger batch may spare a node where no model tells: whether it does is seen then."""
    bounds, now = bounds_of_nodes(context), nodes_in_force(context)
    spare = bounds is not None and now is not None and now > bounds.low
    calm = context.diagnosis.bottleneck is Bottleneck.NONE
    if outlook.latency is not None or not (spare and calm):
        return
    if fresh(context.observation.miss_rate) != 0.0:
        return
    larger = [each for each in larger_batches(context, Lately(0, 0.0)) if each.action is not None]
    for each in larger[-1:]:
        action = cast(Action, each.action)
        action = replace(action, reason=f"{action.reason}: fewer nodes may do then")
        yield replace(each, step=f"{each.step}{SAVING}", action=action)


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
    if not is_explained(context, outlook):
        return f"{missed(context):.2%} are missed, which the load does not explain"
    if outlook.latency is not None:
        return None
    wary, bounds = replace(outlook.law, streams_factor=MARGIN), bounds_of_nodes(context)
    if bounds is not None and outlook.needed(wary, bounds.low, bounds.high).nodes > nodes:
        return f"{nodes} would hardly do: with {MARGIN - 1.0:.0%} more streams they are too few"
    p99_ms = fresh(context.observation.latency.p99_ms)
    if p99_ms is None:
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


def _asked_for(context: Context) -> int:
    """Nodes asked for, those that have not come yet included."""
    state = context.states.get("nodes")
    requested = None if state is None else state.requested
    return requested if isinstance(requested, int) else nodes_in_force(context) or 1
