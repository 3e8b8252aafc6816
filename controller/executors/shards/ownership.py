"""Which worker renders which shard, changed at once, and how far each shard has come."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from controller.executors.stream_table import NOBODY

FIELDS = 5


class Ownership:
    """The owner of each shard, in shared memory; shards are numbered from 1 on.

    The stream table says ahead which streams a shard has; its owner may change at any time. The
    executor writes the owners and then a new epoch; everything else is written by the owner of the
    shard alone. Workers have numbers that are never used again, so that one that has lost a shard
    finds that out from its number.
    """

    def __init__(self, shards: int) -> None:
        self._memory = mmap.mmap(-1, 8 * (1 + FIELDS * (shards + 1)))
        self._epoch: memoryview = np.frombuffer(self._memory, np.int64, 1, 0).data
        # Single numbers are read and written faster through a view than in an array.
        fields = np.frombuffer(self._memory, np.int64, -1, 8).reshape(FIELDS, shards + 1)
        self._owners: memoryview = fields[0].data
        self._handed_on: memoryview = fields[1].data
        self._resent: NDArray[np.int64] = fields[2]
        self._replayed: NDArray[np.int64] = fields[3]
        self._caught_up_ns: NDArray[np.int64] = fields[4]
        fields[0] = NOBODY
        fields[1] = -1

    @property
    def epoch(self) -> int:
        """Changes of owner so far."""
        epoch: int = self._epoch[0]
        return epoch

    def owner(self, shard: int) -> int:
        """The worker that renders this shard; NOBODY where none does."""
        worker: int = self._owners[shard]
        return worker

    def shards_of(self, worker: int) -> tuple[int, ...]:
        """The shards that this worker renders, ascending."""
        return tuple(each for each, owner in enumerate(self._owners) if owner == worker)

    def owners(self) -> list[int]:
        """The workers of all shards that have one; who has two is there twice."""
        return [owner for owner in self._owners if owner != NOBODY]

    def owned(self) -> tuple[int, ...]:
        """The shards that some worker renders, ascending."""
        return tuple(each for each, owner in enumerate(self._owners) if owner != NOBODY)

    def give(self, shard: int, worker: int) -> None:
        """Have this worker render the shard from the first block on that is still owed."""
        self._owners[shard] = worker
        self._epoch[0] += 1

    def begin(self, shard: int, worker: int, block: int) -> None:
        """Have this worker render a shard that nobody has, of which nothing before is owed."""
        self._handed_on[shard] = block - 1
        self.give(shard, worker)

    def handed_on(self, shard: int) -> int:
        """The latest block of the shard that an owner has handed on whole."""
        block: int = self._handed_on[shard]
        return block

    def is_behind(self, due: int) -> bool:
        """Whether some owner has not handed on a block of its shard that is due."""
        return any(self._handed_on[shard] < due for shard in self.owned())

    def hand_on(self, shard: int, block: int) -> None:
        """Take note that its owner has handed on all of this block."""
        self._handed_on[shard] = block

    def catch_up(self, shard: int, resent: int, replayed: int, now_ns: int) -> None:
        """Take note that its new owner has handed on what was owed, so many blocks of streams."""
        self._resent[shard] += resent
        self._replayed[shard] += replayed
        self._caught_up_ns[shard] = now_ns

    def caught_up_ns(self, shard: int) -> int:
        """When an owner last had handed on what it had found owed; 0 before the first."""
        return int(self._caught_up_ns[shard])

    def resent(self, shard: int) -> int:
        """Blocks of streams that new owners have handed on behind the time, so far."""
        return int(self._resent[shard])

    def replayed(self, shard: int) -> int:
        """Blocks of streams that new owners have rendered unheard, so far."""
        return int(self._replayed[shard])
