"""More nodes, because the blocks that are missed call for them."""

from __future__ import annotations

from collections.abc import Iterator

from policies.conductor.alternatives import NODES_STEP, Alternative
from policies.conductor.evidence import RecentMisses, by_chance
from policies.conductor.remedies.effects import relief
from policies.conductor.situation import Situation
from policies.conductor.sizing.outlook import Outlook
from policies.proposal import Action


def more_nodes(
    situation: Situation, outlook: Outlook | None, recent: RecentMisses
) -> Iterator[Alternative]:
    """A node more, or as many as are needed where no model weighs them later."""
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
    if outlook is not None and outlook.latency is None and outlook.staffing is not None:
        nodes = max(nodes, min(outlook.staffing.nodes, now + bounds.step))
    if outlook is not None:
        effect = outlook.law.effect(now, nodes, outlook.load, situation.missed)
    reason = f"{situation.diagnosis.summary}; {nodes} nodes share the work"
    yield Alternative(f"{NODES_STEP}{nodes}", Action("nodes", nodes, reason, effect))
