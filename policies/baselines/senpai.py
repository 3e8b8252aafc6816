"""Senpai, which takes memory away until its absence is felt, here for blocks of device memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from policies.baselines.baseline import Baseline
from policies.baselines.choice_law import ChoiceReading
from policies.baselines.node_law import number, remembered
from policies.constants import Microseconds
from policies.observation import fresh
from policies.policy import Context, State
from policies.proposal import Proposal

TARGET_US = 10_000.0
GRACE = 5
RELAX, RELAX_MOST = 20.0, 1.0
TIGHTEN, TIGHTEN_MOST = 10.0, 0.01


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A limit, the stall summed since it last moved, and the seconds it is left alone."""

    limit: float
    stall_us: float = 0.0
    grace: int = 0

    def after(self, stall_us: float, target_us: float = TARGET_US) -> MemoryLimit:
        """The limit a second later. More stall than the target relaxes it; rest tightens it."""
        total = self.stall_us + stall_us
        if total > target_us:
            growth = min(((total / target_us) / RELAX) ** 2, RELAX_MOST)
            return MemoryLimit(self.limit * (1.0 + growth), 0.0, GRACE)
        if self.grace > 0:
            return MemoryLimit(self.limit, total, self.grace - 1)
        cut = min(((target_us / max(total, 1.0)) / TIGHTEN) ** 2, 1.0)
        return MemoryLimit(self.limit * (1.0 - TIGHTEN_MOST * cut), 0.0, GRACE)


@dataclass(frozen=True, slots=True)
class Senpai(Baseline):
    """Stall is the wait for memory; the block size is the largest that the limit allows."""

    target_us: Microseconds = TARGET_US

    name: ClassVar[str] = "senpai"
    turns: ClassVar[frozenset[str]] = frozenset({"vram_block_bytes"})
    SWEEP: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType(
        {"target_us": (1e3, 1e4, 1e5, 1e6)}
    )

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Where another hand moved the block size, it starts over from there."""
        block = ChoiceReading.of(context, "vram_block_bytes")
        stall_us = fresh(context.observation.get("gpu.allocation_wait_us"))
        if block is None or stall_us is None:
            return Proposal(reason="no wait for memory is known, or no block size to turn"), state
        before = _recall(remembered(state), block.value, block.values)
        after = before.after(stall_us / max(context.observation.interval_s, 1e-9), self.target_us)
        limit = min(after.limit, max(block.values) * 1.5)
        wanted = _largest(block.values, limit)
        why = f"streams waited {stall_us:.0f} us for memory; the limit is {limit:.0f} bytes"
        return block.propose(wanted, why), {
            "limit": limit,
            "stall_us": after.stall_us,
            "grace": after.grace,
            "size": wanted,
        }


def _recall(saved: dict[str, State], size: int, sizes: tuple[int, ...]) -> MemoryLimit:
    """The limit as remembered, unless the size in force is another than was asked for."""
    limit = number(saved.get("limit"), 0.0)
    if number(saved.get("size"), -1.0) != size or _largest(sizes, limit) != size:
        return MemoryLimit(float(size))
    grace = int(number(saved.get("grace"), 0.0))
    return MemoryLimit(limit, number(saved.get("stall_us"), 0.0), grace)


def _largest(sizes: tuple[int, ...], limit: float) -> int:
    return max((size for size in sizes if size <= limit), default=min(sizes))
