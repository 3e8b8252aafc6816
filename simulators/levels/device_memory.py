"""The device memory of one simulated node: an arena of slabs, as the GPU executor has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from policies.latency import Transfer

ALIGNMENT_BYTES = 256
"""Bytes that every state's place is a multiple of."""
FEWEST_STATES = 4
"""States that share a slab at the least; a larger state lies in a region of its own."""
RESERVATION_US = 50.0
"""Microseconds to reserve memory for a stream when nothing has to be moved for it."""
FULLEST = 0.99
"""Occupancy beyond which a reservation waits no longer."""


@dataclass(frozen=True, slots=True)
class Extents:
    """Extents of `size_bytes` in the arena, each of which holds as many `states`.

    In a slab of V bytes states of c bytes have V // c' slots, c' being c rounded up to 256 bytes,
    if those are at least four; of larger states each has an extent of c' bytes for itself.
    """

    size_bytes: int
    states: int

    @classmethod
    def of(cls, state_bytes: int, block_bytes: int) -> Extents:
        """The extents of one kind of stream."""
        rounded = math.ceil(state_bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        if FEWEST_STATES * state_bytes > block_bytes:
            return cls(rounded, 1)
        return cls(block_bytes, block_bytes // rounded)

    def taken_bytes(self, states: int) -> int:
        """Bytes of the arena that so many states take, with what their extents do not hold."""
        return math.ceil(states / self.states) * self.size_bytes


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """The streams of a node in blocks of one size.

    `fitting` streams found room, out of `used_bytes`, and `waiting` did not. `fragmentation` is
    the part of those bytes that holds nothing. Pieces between extents are left out: states are
    all alike, and the arena moves them together.
    """

    fitting: int
    waiting: int
    used_bytes: int
    total_bytes: int
    fragmentation: float

    @classmethod
    def of(
        cls, transfer: Transfer, streams: int, block_bytes: int, available: float
    ) -> DeviceMemory:
        """The streams that fit into the `available` share of the memory."""
        total_bytes = int(available * transfer.memory_bytes)
        extents = Extents.of(transfer.held_bytes, block_bytes)
        fitting = min(streams, total_bytes // extents.size_bytes * extents.states)
        used_bytes = extents.taken_bytes(fitting)
        held_bytes = fitting * transfer.held_bytes
        fragmentation = 1.0 - held_bytes / used_bytes if used_bytes else 0.0
        return cls(fitting, streams - fitting, used_bytes, total_bytes, fragmentation)

    @property
    def occupancy(self) -> float:
        """Share of the memory in use; 1 where there is none."""
        return self.used_bytes / self.total_bytes if self.total_bytes else 1.0

    def reservation_us(self) -> float:
        """The wait of a stream for its memory, microseconds: the longer, the less of it is free."""
        return RESERVATION_US / (1.0 - min(self.occupancy, FULLEST))
