"""Remedies against the bottleneck that is diagnosed, the cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from policies.conductor.alternatives import Alternative
from policies.conductor.evidence import RecentMisses
from policies.conductor.remedies.batching import other_batches
from policies.conductor.remedies.nodes import more_nodes
from policies.conductor.remedies.period import longer_period
from policies.conductor.remedies.threads import favouring_audio
from policies.conductor.remedies.vram import other_blocks
from policies.conductor.situation import Situation
from policies.conductor.sizing.outlook import Outlook
from policies.diagnosis import Bottleneck

Remedy = Callable[[Situation, RecentMisses], Iterator[Alternative]]
REMEDIES: Mapping[str, Remedy] = MappingProxyType(
    {
        "thread_classes": favouring_audio,
        "batch_size": other_batches,
        "vram_block_bytes": other_blocks,
        "period_frames": longer_period,
    }
)
"""Remedies by the knob that they turn; that of the nodes alone looks ahead as well."""


def remedies(
    situation: Situation, outlook: Outlook | None, recent: RecentMisses
) -> Iterator[Alternative]:
    """Steps against the diagnosed bottleneck, in its order.

    Whatever the plant lacks is left out. Where a model explains what is missed, batches and
    nodes are not turned for what one interval shows; nor is ever the period.
    """
    explained = outlook is not None and outlook.latency is not None and outlook.explained
    left_alone = ("batch_size", "nodes") if explained else ()
    for knob in _in_order(situation):
        if knob in situation.knobs and knob in situation.settings and knob not in left_alone:
            if knob == "nodes":
                yield from more_nodes(situation, outlook, recent)
            elif knob in REMEDIES:
                yield from REMEDIES[knob](situation, recent)


def _in_order(situation: Situation) -> tuple[str, ...]:
    """The knobs that help, the cheapest first; but nodes that serve before a batch is judged."""
    helpful, delays_s = situation.diagnosis.helpful_knobs, situation.delays_s
    nodes, batch = situation.knobs.get("nodes"), situation.knobs.get("batch_size")
    queueing = situation.diagnosis.bottleneck is Bottleneck.QUEUEING
    if queueing or nodes is None or batch is None:
        return helpful
    judged_s = delays_s.get("batch_size", batch.delay_s) + batch.settle_s
    if delays_s.get("nodes", nodes.delay_s) > judged_s:
        return helpful
    return tuple(sorted(helpful, key=lambda knob: knob != "nodes"))
