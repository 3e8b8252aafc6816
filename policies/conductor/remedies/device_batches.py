"""Batches on a device: the copy of one goes on while the one before is computed."""

from __future__ import annotations

from dataclasses import dataclass

from policies.conductor.situation import Situation
from policies.observation import fresh

HEAD_START = 0.1
"""Part of a period that copying beside computing must save to be worth another kernel call."""


@dataclass(frozen=True, slots=True)
class DeviceBatches:
    """A block of `calls` batches, each copied in `copy_ms` and computed in `compute_ms`.

    The more batches, the sooner the first is there to be computed (its head start); the fewer,
    the less often a call costs what it costs however much it carries.
    """

    calls: int
    copy_ms: float
    compute_ms: float
    period_ms: float

    @classmethod
    def of(cls, situation: Situation, calls: int) -> DeviceBatches | None:
        """The batches of a device, as it tells; None where it tells nothing."""
        seen = situation.observation
        copy_ms, compute_ms = (
            fresh(seen.get(name)) for name in ("gpu.transfer_in_ms", "gpu.compute_ms")
        )
        if copy_ms is None or compute_ms is None:
            return None
        period_ms = fresh(seen.get("audio.period_ms")) or situation.objective.deadline_ms
        return cls(calls, copy_ms, compute_ms, period_ms)

    def block_ms(self, calls: int) -> float:
        """Time of a block in so many batches of the same work in all, copies beside computing.

        A flow shop of two machines (Johnson, 1954) with equal jobs: the first copy, the last
        computation, and between them as often as there are others the longer of the two. What a
        call costs by itself is not known, so that fewer calls take no longer than this.
        """
        part = self.calls / calls
        copy_ms, compute_ms = part * self.copy_ms, part * self.compute_ms
        return copy_ms + (calls - 1) * max(copy_ms, compute_ms) + compute_ms

    def loses_head_start(self, calls: int) -> bool:
        """Whether so few batches could be late for want of the head start that they have now."""
        block_ms = self.block_ms(calls)
        lost_ms = block_ms - self.block_ms(self.calls)
        return lost_ms >= HEAD_START * self.period_ms and block_ms > self.period_ms

    def gains_head_start(self, calls: int) -> bool:
        """Whether copying one while another is computed saves enough for so many calls."""
        return self.block_ms(self.calls) - self.block_ms(calls) >= HEAD_START * self.period_ms
