"""Settings of the knobs that act at once that would cost less, nodes and misses together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from policies.conductor import threads
from policies.conductor.alternatives import SAVING, Alternative
from policies.conductor.evidence import NO_MISSES
from policies.conductor.nodes import NodeLaw, staffed
from policies.conductor.outlook import TAIL, Outlook
from policies.conductor.remedies import larger_batches
from policies.conductor.situation import NodePool, Situation
from policies.diagnosis import Bottleneck
from policies.knobs import AnyThreadClasses, Bounds, Choice, KnobValue, ThreadClasses
from policies.proposal import Action

WORTH_IT = 0.02
"""Part of the nodes that another setting must save, or noise at the edge would undo it."""

Setting = tuple[str, KnobValue, str]
"""A knob, another value of it, and the name of the step there."""


def is_pressed(nodes: NodePool, outlook: Outlook) -> bool:
    """Whether the nodes in force may miss more than what another node costs."""
    now = nodes.in_force
    return now is not None and outlook.staffed(now).cost > now + 1.0


def retunings(situation: Situation, outlook: Outlook) -> Iterator[Alternative]:
    """Every other setting of the knobs that act at once, the cheapest first.

    Each is valued with the nodes that it would need, and with what is missed by those in force.
    """
    now, others = situation.nodes.in_force, list(_other_settings(situation))
    if outlook.latency is None or now is None or not others:
        return
    bounds = situation.nodes.bounds or Bounds(now, now)
    cost = _cost(outlook, outlook.law, now, bounds)
    valued = []
    for knob, value, step in others:
        law = outlook.law_with(situation.settings.turned(knob, value))
        if law is not None:
            valued.append((_cost(outlook, law, now, bounds), (knob, value, step), law))
    for other_cost, (knob, value, step), law in sorted(valued, key=lambda each: each[0]):
        if other_cost > cost - WORTH_IT * now:
            yield Alternative(step, why_not=f"costs {other_cost:.2f} nodes against {cost:.2f} now")
            continue
        reason = (
            f"{outlook.summary(situation.observation.load_unit)}; misses and nodes together cost "
            f"{other_cost:.2f} nodes with {step} and {cost:.2f} as it is"
        )
        tail = outlook.peaks.quantile(TAIL)
        effect = outlook.law.effect(now, now, tail, situation.missed, changed_law=law)
        yield Alternative(step, Action(knob, value, reason, effect))


def savings(situation: Situation, outlook: Outlook) -> Iterator[Alternative]:
    """The next larger batch may spare a node where no model tells: whether it does is seen then."""
    bounds, now = situation.nodes.bounds, situation.nodes.in_force
    spare = bounds is not None and now is not None and now > bounds.low
    calm = situation.diagnosis.bottleneck is Bottleneck.NONE and situation.miss_rate == 0.0
    if outlook.latency is not None or not (spare and calm):
        return
    larger = [each for each in larger_batches(situation, NO_MISSES) if each.action is not None]
    for each in larger[-1:]:
        action = cast(Action, each.action)
        action = replace(action, reason=f"{action.reason}: fewer nodes may do then")
        yield replace(each, step=f"{each.step}{SAVING}", action=action)


def _other_settings(situation: Situation) -> Iterator[Setting]:
    """One knob turned at a time, of those that act at once and may be turned."""
    for knob in ("batch_size", "vram_block_bytes"):
        found, now = situation.knobs.get(knob), situation.settings.get(knob)
        if found is not None and isinstance(found.domain, Choice) and now is not None:
            for value in found.domain.others(now):
                yield knob, value, f"{knob} {value}"
    found, now = situation.knobs.get("thread_classes"), situation.settings.get("thread_classes")
    domain = None if found is None else found.domain
    if isinstance(domain, AnyThreadClasses) and isinstance(now, ThreadClasses):
        for step in threads.steps(domain, now, situation.objective.priority):
            yield "thread_classes", step.classes, step.name


def _cost(outlook: Outlook, law: NodeLaw, nodes: int, bounds: Bounds) -> float:
    """Of the nodes that would be cheapest, and of what those in force miss until they come."""
    later = outlook.needed(law, bounds).cost
    now = staffed(law, outlook.on_the_way, outlook.price, nodes)
    return later + now.cost - now.nodes
