"""Streams per kernel call."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from policies.conductor.alternatives import SAVING, Alternative
from policies.conductor.evidence import NO_MISSES, RecentMisses, by_chance
from policies.conductor.remedies.effects import relieving
from policies.conductor.situation import Situation
from policies.conductor.sizing.outlook import Outlook
from policies.diagnosis import Bottleneck
from policies.knobs import Choice
from policies.proposal import Action


def calls_per_block(streams: float, nodes: int, batch_size: int) -> int:
    """Kernel calls that each worker makes for a block."""
    return max(1, math.ceil(math.ceil(streams / nodes) / batch_size))


def larger(domain: Choice, batch_size: int, streams: float, nodes: int) -> tuple[int, ...]:
    """Larger batches that save calls, those that save the most first, and none beyond need."""
    smallest: dict[int, int] = {}
    for value in domain.values:
        if isinstance(value, int) and value > batch_size:
            smallest.setdefault(calls_per_block(streams, nodes, value), value)
    smallest.pop(calls_per_block(streams, nodes, batch_size), None)
    return tuple(smallest[calls] for calls in sorted(smallest))


def larger_batches(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """Those that save calls, the most first."""
    if "batch_size" not in situation.knobs or "batch_size" not in situation.settings:
        return
    domain, streams = situation.knobs["batch_size"].domain, situation.load
    now, nodes = situation.settings["batch_size"], situation.nodes.sharing
    if not isinstance(domain, Choice) or not isinstance(now, int) or now < 1 or streams is None:
        return
    larger_ones = larger(domain, now, streams, nodes)
    if (why_not := by_chance(situation, recent)) is not None:
        yield Alternative("larger batch", why_not=why_not)
        return
    if not larger_ones:
        yield Alternative("larger batch", why_not="saves no kernel call")
    calls = calls_per_block(streams, nodes, now)
    for value in larger_ones:
        fewer = calls_per_block(streams, nodes, value)
        gain = f"a block takes {calls} calls of {now} streams, and {fewer} with {value}"
        yield relieving(situation, recent, "batch_size", value, f"batch_{value}", gain)


def savings(situation: Situation, outlook: Outlook) -> Iterator[Alternative]:
    """The next larger batch may spare a node where no model tells: whether it does is seen then."""
    bounds, now = situation.nodes.bounds, situation.nodes.in_force
    spare = bounds is not None and now is not None and now > bounds.low
    calm = situation.diagnosis.bottleneck is Bottleneck.NONE and situation.miss_rate == 0.0
    if outlook.latency is not None or not (spare and calm):
        return
    possible = [each for each in larger_batches(situation, NO_MISSES) if each.action is not None]
    for each in possible[-1:]:
        action = cast(Action, each.action)
        action = replace(action, reason=f"{action.reason}: fewer nodes may do then")
        yield replace(each, step=f"{each.step}{SAVING}", action=action)
