"""Bytes per block of device memory."""

from __future__ import annotations

from collections.abc import Iterator

from policies.conductor.alternatives import Alternative
from policies.conductor.evidence import RecentMisses
from policies.conductor.remedies.effects import relieving
from policies.conductor.situation import Situation
from policies.knobs import Choice
from policies.observation import fresh


def smaller(domain: Choice, block_bytes: int) -> int | None:
    """The next smaller block, which wastes less memory; None where there is none."""
    values = [value for value in domain.values if isinstance(value, int) and value < block_bytes]
    return max(values, default=None)


def smaller_blocks(situation: Situation, recent: RecentMisses) -> Iterator[Alternative]:
    """Memory lost to fragmentation holds streams again."""
    domain = situation.knobs["vram_block_bytes"].domain
    now = situation.settings["vram_block_bytes"]
    if not isinstance(domain, Choice) or not isinstance(now, int):
        return
    value = smaller(domain, now)
    if value is None:
        yield Alternative("smaller blocks", why_not="these are the smallest")
        return
    wasted = fresh(situation.observation.get("gpu.fragmentation_share")) or 0.0
    gain = f"blocks of {value} bytes waste less than the {wasted:.0%} that is lost now"
    yield relieving(situation, recent, "vram_block_bytes", value, f"block_{value}", gain)
