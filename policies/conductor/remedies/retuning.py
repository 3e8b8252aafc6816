"""Settings of the knobs that act at once that would cost less, nodes and misses together."""

from __future__ import annotations

from collections.abc import Iterator

from policies.conductor.alternatives import Alternative
from policies.conductor.node_law import TAIL
from policies.conductor.remedies import threads
from policies.conductor.situation import Situation
from policies.conductor.sizing.outlook import Outlook
from policies.knobs import AnyThreadClasses, Bounds, Choice, KnobValue, ThreadClasses
from policies.proposal import Action

WORTH_IT = 0.02
"""Part of the nodes that another setting must save, or noise at the edge would undo it."""

Setting = tuple[str, KnobValue, str]
"""A knob, another value of it, and the name of the step there."""


def retunings(situation: Situation, outlook: Outlook) -> Iterator[Alternative]:
    """Every other setting of the knobs that act at once, the cheapest first.

    Each is valued with the nodes that it would need, and with what is missed by those in force.
    """
    now, others = situation.nodes.in_force, list(_other_settings(situation))
    if outlook.latency is None or now is None or not others:
        return
    bounds = situation.nodes.bounds or Bounds(now, now)
    cost = outlook.cost(outlook.law, outlook.staffing or outlook.staffed(now), now)
    valued = []
    for knob, value, step in others:
        law = outlook.law_with(situation.settings.turned(knob, value))
        if law is not None:
            other_cost = outlook.cost(law, outlook.needed(law, bounds), now)
            valued.append((other_cost, (knob, value, step), law))
    for other_cost, (knob, value, step), law in sorted(valued, key=lambda each: each[0]):
        if other_cost > cost - WORTH_IT * now:
            yield Alternative(step, why_not=f"costs {other_cost:.2f} nodes against {cost:.2f} now")
            continue
        reason = (
            f"{outlook.summary}; misses and nodes together cost "
            f"{other_cost:.2f} nodes with {step} and {cost:.2f} as it is"
        )
        tail = outlook.peaks.quantile(TAIL)
        effect = outlook.law.effect(now, now, tail, situation.missed, changed_law=law)
        yield Alternative(step, Action(knob, value, reason, effect))


def _other_settings(situation: Situation) -> Iterator[Setting]:
    """Settings with one knob turned, of those that act at once and may be turned."""
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
