"""The operating points of a calibration, scaled to what one worker can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FITTED_SHARES = (0.15, 0.3, 0.45, 0.6, 0.75)
HELD_OUT_SHARES = (0.22, 0.5, 0.7)
"""Shares of the streams at which a worker would compute all the time."""
BLOCKS_SHARE = 0.45
"""Share at which blocks of other sizes are measured."""
PROBE_BATCH = 32
"""Streams in a batch by which a worker is first probed."""
LEAST_FULL = 64
"""Streams in a batch that may be fitted whatever a worker can do."""

Point = tuple[int, int] | tuple[int, int, int]
"""Streams, batch size and, where the executor has such blocks, their bytes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Points to fit, points to hold the fit against, and points that tell what copies cost."""

    fitted: tuple[Point, ...]
    held_out: tuple[Point, ...]
    blocks: tuple[Point, ...] = ()

    @property
    def points(self) -> tuple[Point, ...]:
        """All of them, in this order."""
        return (*self.fitted, *self.held_out, *self.blocks)


def make_plan(capacity: int, batch_sizes: Sequence[int], block_bytes: Sequence[int]) -> Plan:
    """The plan for a worker that `capacity` streams keep busy, and what its executor can have."""
    sizes = fitted_sizes(batch_sizes, capacity)
    held_out = ((share, sizes[k % len(sizes)]) for k, share in enumerate(HELD_OUT_SHARES))
    most = max(sizes[-1], int(BLOCKS_SHARE * capacity))
    ends = (block_bytes[0], block_bytes[-1]) if len(block_bytes) > 1 else ()
    return Plan(
        tuple(_point(share, size, capacity) for share in FITTED_SHARES for size in sizes),
        tuple(_point(share, size, capacity) for share, size in held_out),
        tuple((most, sizes[-1], each) for each in ends),
    )


def fitted_sizes(batch_sizes: Sequence[int], capacity: int) -> tuple[int, ...]:
    """The two largest batches that are filled at every point, or the smallest where none is."""
    filled = [size for size in batch_sizes if size <= max(LEAST_FULL, FITTED_SHARES[0] * capacity)]
    return tuple(filled[-2:] or batch_sizes[:2])


def probe_size(batch_sizes: Sequence[int]) -> int:
    """The batch size of the first probe."""
    return next((size for size in batch_sizes if size >= PROBE_BATCH), batch_sizes[-1])


def _point(share: float, size: int, capacity: int) -> Point:
    return max(size, int(share * capacity)), size
