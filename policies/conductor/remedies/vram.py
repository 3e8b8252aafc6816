"""Bytes per block of device memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

from policies.conductor.alternatives import Alternative
from policies.conductor.evidence import RecentMisses
from policies.conductor.remedies.effects import relieving
from policies.conductor.situation import Situation
from policies.diagnosis import Bottleneck
from policies.knobs import Choice
from policies.observation import fresh

ROOM = 0.9
"""Share of the arena that states may fill once blocks are larger."""
WORST_WASTE = 0.25
"""Part by which a slot may exceed the state that it holds, where at least four share a block."""


def smaller(domain: Choice, block_bytes: int) -> int | None:
    """The next smaller block, which wastes less memory; None where there is none."""
    values = [value for value in domain.values if isinstance(value, int) and value < block_bytes]
    return max(values, default=None)


def larger(domain: Choice, block_bytes: int, batch_bytes: float) -> tuple[int, ...]:
    """Larger blocks that take a batch to the device in fewer copies, the next first."""
    found, copies = [], math.ceil(batch_bytes / block_bytes)
    for value in sorted(each for each in domain.values if isinstance(each, int)):
        if value > block_bytes and math.ceil(batch_bytes / value) < copies:
            found.append(value)
            copies = math.ceil(batch_bytes / value)
    return tuple(found)


def other_blocks(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """Larger blocks where copies dominate, smaller ones where memory is short."""
    domain = situation.knobs["vram_block_bytes"].domain
    now = situation.settings["vram_block_bytes"]
    if not isinstance(domain, Choice) or not isinstance(now, int):
        return
    if situation.diagnosis.bottleneck is Bottleneck.TRANSFER:
        yield from _larger_blocks(situation, recent, domain, now)
    else:
        yield from _smaller_blocks(situation, recent, domain, now)


def _smaller_blocks(
    situation: Situation, recent: RecentMisses, domain: Choice, now: int
) -> Iterator[Alternative]:
    """Memory lost to fragmentation holds streams again.

    The guard lets a growth overtake a shrink that is not judged yet, and so does not keep the next
    shrink from being asked for: that waits here, or the verdict would be laid to it.
    """
    seen_s = recent.intervals * situation.observation.interval_s
    if seen_s <= situation.knobs["vram_block_bytes"].settle_s:
        yield Alternative("smaller blocks", why_not=f"those in force were seen for {seen_s:.0f} s")
        return
    value = smaller(domain, now)
    if value is None:
        yield Alternative("smaller blocks", why_not="these are the smallest")
        return
    wasted = _read(situation, "fragmentation_share")
    lost = "now do" if wasted is None else f"do, of which {wasted:.0%} is lost now"
    gain = f"blocks of {value} bytes waste less memory than those of {now} {lost}"
    yield relieving(situation, recent, "vram_block_bytes", value, f"block_{value}", gain)


def _larger_blocks(
    situation: Situation, recent: RecentMisses, domain: Choice, now: int
) -> Iterator[Alternative]:
    """Fewer copies, each of which costs something whatever it carries."""
    batch_bytes = _batch_bytes(situation)
    if batch_bytes is None:
        yield Alternative("larger blocks", why_not="how many bytes a batch takes is not known")
        return
    larger_ones = larger(domain, now, batch_bytes)
    if not larger_ones:
        yield Alternative("larger blocks", why_not="they would save no copy")
    for value in larger_ones:
        step = f"block_{value}"
        if (why_not := _no_room(situation, value)) is not None:
            yield Alternative(step, why_not=why_not)
            continue
        copies, fewer = (math.ceil(batch_bytes / each) for each in (now, value))
        gain = f"a batch goes to the device in {copies} copies of {now} bytes, {fewer} of {value}"
        yield relieving(situation, recent, "vram_block_bytes", value, step, gain)


def _batch_bytes(situation: Situation) -> float | None:
    """Bytes that one batch takes to the device; None where that is not known."""
    bytes_per_s = _read(situation, "in_bytes_per_s")
    batches_per_s = _read(situation, "replays_per_s")
    return None if bytes_per_s is None or not batches_per_s else bytes_per_s / batches_per_s


def _no_room(situation: Situation, block_bytes: int) -> str | None:
    """Why the arena could not hold blocks of that size; None where it could, or says nothing."""
    largest = _read(situation, "arena_largest_free_bytes")
    if largest is not None and largest < block_bytes:
        return f"the largest free region has {largest:.0f} bytes"
    total, used = _read(situation, "arena_bytes"), _read(situation, "arena_used_bytes")
    wasted = _read(situation, "fragmentation_share")
    if not total or used is None or wasted is None:
        return None
    filled = used * (1.0 - wasted) * (1.0 + WORST_WASTE) / total
    return None if filled <= ROOM else f"states could take {filled:.0%} of the arena then"


def _read(situation: Situation, name: str) -> float | None:
    return fresh(situation.observation.get(f"gpu.{name}"))
