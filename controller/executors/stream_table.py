"""Which streams are live, and in which shard, from which block on."""

from __future__ import annotations

import mmap
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
"""Number of no shard, whose slot is free, and of no worker."""
KEPT = 4
"""Assignments that are kept: who takes over a shard looks back by some."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """From block `from_block` on, slot s is in the shard `shards[s]` (NOBODY where it is free).

    A shard is the streams that one worker renders and hands on together; whose it is may change at
    any time (`Ownership`). `shards` has shape (slots,); `batch_size` is the streams per kernel
    call.
    """

    version: int
    from_block: int
    batch_size: int
    shards: NDArray[np.int16]

    def slots_of(self, shard: int) -> NDArray[np.intp]:
        """The slots of one shard, ascending; its batches are consecutive parts of these."""
        return np.flatnonzero(self.shards == shard)

    @property
    def live(self) -> NDArray[np.intp]:
        """All slots in use, ascending."""
        return np.flatnonzero(self.shards != NOBODY)


class StreamTable:
    """The latest assignments in shared memory: the one in force, the next, and some before.

    The writer publishes one version at a time, and the next only after that one is in force.
    Workers read it, and change over at the block that the assignment names: no lock, and no
    block in which two workers differ about the shard of a stream.
    """

    _HEADER = 64

    def __init__(self, slots: int, batch_size: int) -> None:
        stride = self._HEADER + 2 * slots
        stride += -stride % 8
        self._memory = mmap.mmap(-1, self._HEADER + KEPT * stride)
        self._version: NDArray[np.int64] = np.frombuffer(self._memory, np.int64, 1, 0)
        starts = [self._HEADER + place * stride for place in range(KEPT)]
        self._headers = [np.frombuffer(self._memory, np.int64, 2, start) for start in starts]
        self._shards = [
            np.frombuffer(self._memory, np.int16, slots, start + self._HEADER) for start in starts
        ]
        for place in range(KEPT):
            self._headers[place][:] = (0, batch_size)
            self._shards[place][:] = NOBODY

    @property
    def version(self) -> int:
        """The latest version published."""
        return int(self._version[0])

    def publish(self, from_block: int, batch_size: int, shards: NDArray[np.int16]) -> Assignment:
        """Announce the shard of every stream from a block on that is still to come."""
        version = self.version + 1
        place = version % KEPT
        self._headers[place][:] = (from_block, batch_size)
        self._shards[place][:] = shards
        self._version[0] = version
        return self._read(version)

    def latest(self) -> Assignment:
        """The assignment announced last, in force or still to come."""
        return self._read(self.version)

    def at(self, block: int) -> Assignment:
        """The assignment in force at that block; the oldest that is kept for one long past."""
        version, oldest = self.version, max(0, self.version - KEPT + 1)
        while version > oldest and self._headers[version % KEPT][0] > block:
            version -= 1
        return self._read(version)

    def _read(self, version: int) -> Assignment:
        from_block, batch_size = self._headers[version % KEPT]
        shards = self._shards[version % KEPT].copy()
        return Assignment(version, int(from_block), int(batch_size), shards)
