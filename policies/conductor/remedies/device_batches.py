"""Batches on a device: the copy of one goes on while the one before is computed."""

from __future__ import annotations

from dataclasses import dataclass

from policies.conductor.situation import Situation
from policies.observation import fresh


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
        """What the device tells of its batches; None where it tells nothing."""
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

    def fits(self, calls: int) -> bool:
        """Whether a block in so many batches is done within its period."""
        return self.block_ms(calls) <= self.period_ms
