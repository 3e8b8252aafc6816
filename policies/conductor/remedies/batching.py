"""Streams per kernel call."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

from policies.conductor.alternatives import SAVING, Alternative
from policies.conductor.evidence import NO_MISSES, RecentMisses, by_chance
from policies.conductor.remedies.device_batches import DeviceBatches
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


def smaller(domain: Choice, batch_size: int, streams: float, nodes: int) -> int | None:
    """The largest batch that makes of one call more; None where it does not, or is several."""
    if calls_per_block(streams, nodes, batch_size) > 1:
        return None
    values = (each for each in domain.values if isinstance(each, int) and each < batch_size)
    several = (each for each in values if calls_per_block(streams, nodes, each) > 1)
    return max(several, default=None)


@dataclass(frozen=True, slots=True)
class _Batches:
    """Batches as they are: `streams` on `nodes`, `size` to a call, what a device tells of it."""

    domain: Choice
    size: int
    streams: float
    nodes: int
    device: DeviceBatches | None

    @classmethod
    def of(cls, situation: Situation) -> _Batches | None:
        """None where the plant has no such knob, or nobody knows how many streams there are."""
        if "batch_size" not in situation.knobs or "batch_size" not in situation.settings:
            return None
        domain, streams = situation.knobs["batch_size"].domain, situation.load
        size, nodes = situation.settings["batch_size"], situation.nodes.sharing
        if not isinstance(domain, Choice) or not isinstance(size, int) or size < 1:
            return None
        if streams is None:
            return None
        device = DeviceBatches.of(situation, calls_per_block(streams, nodes, size))
        return cls(domain, size, streams, nodes, device)

    def calls(self, size: int) -> int:
        """Kernel calls for a block, with batches of that size."""
        return calls_per_block(self.streams, self.nodes, size)


def other_batches(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """Larger batches; where copies to a device dominate, first those that give a head start."""
    if situation.diagnosis.bottleneck is Bottleneck.TRANSFER:
        yield from _smaller_batches(situation, recent)
    yield from larger_batches(situation, recent)


def larger_batches(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """Batches that save calls, the most first, where a device need not lose its head start."""
    now = _Batches.of(situation)
    if now is None:
        return
    if (why_not := by_chance(situation, recent)) is not None:
        yield Alternative("larger batch", why_not=why_not)
        return
    larger_ones = larger(now.domain, now.size, now.streams, now.nodes)
    if not larger_ones:
        yield Alternative("larger batch", why_not="saves no kernel call")
    calls, device = now.calls(now.size), now.device
    for value in larger_ones:
        fewer, step = now.calls(value), f"batch_{value}"
        if device is not None and device.loses_head_start(fewer):
            late_ms, period_ms = device.block_ms(fewer), device.period_ms
            why_not = f"without a head start a block could take {late_ms:.2f} of {period_ms:.2f} ms"
            yield Alternative(step, why_not=why_not)
            continue
        gain = f"a block takes {calls} calls of {now.size} streams, and {fewer} with {value}"
        yield relieving(situation, recent, "batch_size", value, step, gain)


def _smaller_batches(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """Several batches, so that one is copied while another is computed."""
    now = _Batches.of(situation)
    value = None if now is None else smaller(now.domain, now.size, now.streams, now.nodes)
    if now is None or value is None or now.device is None:
        return
    calls, step = now.calls(value), f"batch_{value}"
    if not now.device.gains_head_start(calls):
        yield Alternative(step, why_not="copying one beside computing another would save little")
        return
    gain = (
        f"in {calls} batches of {value} streams one is copied while another is computed: "
        f"{now.device.block_ms(calls):.2f} ms instead of {now.device.block_ms(1):.2f} ms"
    )
    yield relieving(situation, recent, "batch_size", value, step, gain)


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
