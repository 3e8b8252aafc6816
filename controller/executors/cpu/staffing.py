"""Decides which worker of a pool renders which shard."""

from __future__ import annotations

from collections.abc import Callable, Collection

from controller.executors.cpu.pool import WorkerPool
from controller.executors.shards.ownership import Ownership

BEHIND_BLOCKS = 2
"""Blocks by which a worker that keeps up is behind at most."""


class Staffing:
    """Gives each shard a worker of its own where there are enough, and an owed one to any at once.

    `size_of` tells how many streams a shard has.
    """

    def __init__(
        self, pool: WorkerPool, ownership: Ownership, size_of: Callable[[int], int]
    ) -> None:
        self._pool = pool
        self._ownership = ownership
        self._size_of = size_of

    def staff(self, shards: Collection[int], owed: Collection[int], block: int) -> None:
        """See that these shards have a worker, and above all those of which blocks are `owed`."""
        for shard in sorted({*shards, *owed}.difference(self._ownership.owned())):
            if shard not in owed:
                self._begin(shard, block)
            elif heirs := self._heirs(block):
                self._give(shard, heirs[0])
        self._unstack(block)

    def idle(self) -> list[int]:
        """Workers that are at work and have no shard, in the order in which they were started."""
        owners = self._ownership.owners()
        return [each for each in self._pool.ready() if each not in owners]

    def _begin(self, shard: int, block: int) -> None:
        if idle := self.idle():
            self._ownership.begin(shard, idle[0], block)

    def _give(self, shard: int, worker: int) -> None:
        self._ownership.give(shard, worker)
        self._pool.call(worker)

    def _heirs(self, block: int) -> list[int]:
        """Workers that can take a shard, best first: those that keep up, with few streams."""

        def burden(worker: int) -> tuple[bool, int]:
            streams = sum(map(self._size_of, self._ownership.shards_of(worker)))
            return not self._keeps_up(worker, block), streams

        return sorted(self._pool.ready(), key=burden)

    def _unstack(self, block: int) -> None:
        """Leave no worker with two shards while another that keeps up has none."""
        owners = self._ownership.owners()
        if len(owners) == len(set(owners)):
            return
        for worker in self.idle():
            owned = [self._ownership.shards_of(each) for each in self._pool.ready()]
            if len(stacked := max(owned, key=len)) > 1 and self._keeps_up(worker, block):
                self._give(stacked[-1], worker)

    def _keeps_up(self, worker: int, block: int) -> bool:
        return self._pool.passed(worker) >= block - BEHIND_BLOCKS
