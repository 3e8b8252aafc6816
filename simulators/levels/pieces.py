"""The input of a block on its way to a device, piece by piece."""

from __future__ import annotations

import math
from dataclasses import dataclass

from policies.latency import Transfer


@dataclass(frozen=True, slots=True)
class Pieces:
    """Whole streams in pieces of `vram_block_bytes`; a stream larger than that takes several.

    A piece of n streams takes `overhead_ms` + n `stream_ms`: no more bytes go than there are.
    """

    streams: int
    overhead_ms: float
    stream_ms: float

    @classmethod
    def of(cls, transfer: Transfer, block_bytes: int) -> Pieces:
        """The pieces of a pipeline under that block size."""
        copies = math.ceil(transfer.bytes_per_stream / block_bytes)
        return cls(
            max(1, block_bytes // transfer.bytes_per_stream),
            copies * transfer.overhead_ms,
            transfer.bytes_per_stream / transfer.bytes_per_ms,
        )

    def took_ms(self, streams: int) -> float:
        """Time of a piece that holds so many streams."""
        return self.overhead_ms + streams * self.stream_ms
