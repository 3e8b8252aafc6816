"""How many nodes are cheapest for what may come, and when one of them may leave."""

from __future__ import annotations

from dataclasses import replace

from policies.conductor.alternatives import NODES_STEP, Alternative
from policies.conductor.node_law import TAIL, Staffing
from policies.conductor.situation import Situation
from policies.conductor.sizing.node_capacity import NodeCapacity
from policies.conductor.sizing.outlook import Outlook
from policies.observation import fresh
from policies.proposal import Action

HELD_LEADS = 0.5
"""Lead windows in which no decision must have wanted a node before it leaves."""
HELD_AT_LEAST_S = 60.0
"""Seconds that a node is held where no model says what it carries: what is learned of it wavers."""
MARGIN = 1.05
"""Times the streams at which a node must still not be needed to leave, where there is no model.

What is known of its work wavers by some per cent with each stream that comes or goes.
"""
LEAVES_FOR = 0.25
"""Nodes that one must save to leave, where no model says what it carries, or it were soon back."""

Wanted = tuple[tuple[float, int], ...]
"""Times and node counts, the highest first."""


def wanted(before: Wanted, situation: Situation, outlook: Outlook, nodes: int) -> Wanted:
    """The counts wanted within the time that nodes are held, the one wanted now the last.

    None after it exceeds a count that is kept, so that the first is the highest of the window.
    """
    now_s, held_s = situation.time_s, HELD_LEADS * situation.nodes.lead_s
    if outlook.latency is None:
        held_s = max(held_s, HELD_AT_LEAST_S)
    kept = [each for each in before if now_s - held_s < each[0] <= now_s and each[1] > nodes]
    return (*kept, (now_s, nodes))


def resizing(
    situation: Situation, outlook: Outlook, capacity: NodeCapacity, most_wanted: int
) -> Alternative | None:
    """The change towards the nodes wanted, where they are not asked for already."""
    now, requested = situation.nodes.in_force, situation.nodes.requested
    nodes = _possible(most_wanted, situation)
    if now is None or nodes == requested:
        return None
    step = f"{NODES_STEP}{nodes}"
    why_not = None if nodes >= now else _no_shrink(situation, outlook, capacity, nodes)
    if why_not is not None:
        return Alternative(step, why_not=why_not)
    before, after = outlook.staffed(requested), outlook.staffed(nodes)
    saved = before.cost - after.cost
    if nodes < now and outlook.latency is None and saved < LEAVES_FOR * (requested - nodes):
        return Alternative(
            step, why_not=f"saves {saved:.2f} nodes, which is too little to leave for"
        )
    reason = (
        f"{outlook.summary}; {_figures(before)}, and {_figures(after)}; {_in_words(before, after)}"
    )
    effect = outlook.law.effect(now, nodes, outlook.peaks.quantile(TAIL), situation.missed)
    return Alternative(step, Action("nodes", nodes, reason, effect))


def _possible(nodes: int, situation: Situation) -> int:
    """Nodes that one change can bring and that there may be: the promise is of these."""
    bounds, now = situation.nodes.bounds, situation.settings.get("nodes")
    if bounds is None:
        return nodes
    possible = min(nodes, bounds.high)
    if not isinstance(now, int):
        return possible
    return max(now - bounds.step, min(now + bounds.step, possible))


def _no_shrink(
    situation: Situation, outlook: Outlook, capacity: NodeCapacity, nodes: int
) -> str | None:
    """Why no node may leave: unseen, or while more is missed than the load explains."""
    if outlook.lacks_forecast:
        return "nothing shrinks without a forecast of the load"
    if not outlook.explained:
        return f"{situation.missed:.2%} are missed, which the load does not explain"
    if outlook.latency is not None:
        return None
    bounds = situation.nodes.bounds
    wary = replace(outlook.law, streams_factor=MARGIN)
    if bounds is not None and outlook.needed(wary, bounds).nodes > nodes:
        return f"{nodes} would hardly do: with {MARGIN - 1.0:.0%} more streams they are too few"
    return _late(situation, capacity.busier(outlook.load / nodes), nodes)


def _late(situation: Situation, busier: float, nodes: int) -> str | None:
    """Why nodes that much busier would be late; None where they would not, or nobody can say."""
    p99_ms = fresh(situation.observation.latency.p99_ms)
    if p99_ms is None:
        return None
    allowed_ms = situation.objective.deadline_ms
    then_ms = p99_ms + busier * _period_ms(situation)
    if then_ms <= allowed_ms:
        return None
    return (
        f"one block in a hundred takes {p99_ms:.1f} ms, and would take {then_ms:.1f} ms of "
        f"{allowed_ms:.1f} ms with {nodes}"
    )


def _period_ms(situation: Situation) -> float:
    """Time between blocks of a stream, milliseconds; the deadline where nobody counts blocks."""
    load, blocks = situation.load, situation.observation.blocks
    if load is None or blocks is None or blocks.submitted <= 0:
        return situation.objective.deadline_ms
    return 1000.0 * situation.observation.interval_s * load / blocks.submitted


def _in_words(before: Staffing, after: Staffing) -> str:
    """Nodes are the unit of cost: there need not be so many."""
    if after.nodes > before.nodes and after.cost >= before.cost:
        return "they save less than they cost, but the highest peak needs them"
    costs = f"{after.cost:.2f} nodes instead of {before.cost:.2f}"
    return f"misses included, that costs as much as {costs}"


def _figures(staffing: Staffing) -> str:
    nodes = f"{staffing.nodes} node{'' if staffing.nodes == 1 else 's'}"
    return f"{nodes} would miss {staffing.miss_rate:.3%}"
