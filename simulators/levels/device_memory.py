"""The device memory of one simulated node."""

from __future__ import annotations

import math
from dataclasses import dataclass

from policies.latency import Transfer

RESERVATION_US = 50.0
"""Microseconds to reserve memory for a stream when nothing has to be moved for it."""
FULLEST = 0.99
"""Occupancy beyond which a reservation waits no longer."""


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """The streams of a node in blocks of one size.

    `fitting` streams found room, out of `used_bytes`. `fragmentation` is the part of those
    that holds nothing: 1 - S c / (ceil(S c / V) V).
    """

    fitting: int
    used_bytes: int
    occupancy: float
    fragmentation: float

    @classmethod
    def of(
        cls, transfer: Transfer, streams: int, block_bytes: int, available: float
    ) -> DeviceMemory:
        """The streams that fit into the `available` share of the memory."""
        blocks_at_most = int(available * transfer.memory_bytes) // block_bytes
        fitting = min(streams, blocks_at_most * block_bytes // transfer.bytes_per_stream)
        wanted_bytes = fitting * transfer.bytes_per_stream
        used_bytes = math.ceil(wanted_bytes / block_bytes) * block_bytes
        occupancy = used_bytes / (blocks_at_most * block_bytes) if blocks_at_most else 1.0
        fragmentation = 1.0 - wanted_bytes / used_bytes if used_bytes else 0.0
        return cls(fitting, used_bytes, occupancy, fragmentation)

    def reservation_us(self) -> float:
        """The wait of a stream for its memory, microseconds: the longer, the less of it is free."""
        return RESERVATION_US / (1.0 - min(self.occupancy, FULLEST))
