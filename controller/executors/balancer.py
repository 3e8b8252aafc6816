"""Decides which stream is in which shard, and announces it in the stream table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from controller.errors import ExecutorError
from controller.executors.executor import Placement, Task
from controller.executors.stream_table import NOBODY, Assignment, StreamTable


class Balancer:
    """Keeps the sizes of the shards within one of each other, in the fewest moves.

    What is wanted changes at once; what is announced changes only once the assignment before is
    in force, so that two are known at any time.
    """

    def __init__(self, executor: str, table: StreamTable) -> None:
        self._executor = executor
        self._table = table
        self._announced = table.latest()
        self._wanted: NDArray[np.int16] = self._announced.shards.copy()

    @property
    def announced(self) -> Assignment:
        """The assignment announced last."""
        return self._announced

    def place(self, task: Task, shards: Sequence[int]) -> Placement:
        """Put a stream into the one of these shards that has fewest.

        Raises ExecutorError where the task names no slot, or one that does not exist, and where
        there is no shard.
        """
        slots = len(self._wanted)
        if task.slot is None or not 0 <= task.slot < slots:
            why = f"task {task.name} names no slot that exists"
            raise ExecutorError(self._executor, why, f"give a slot below {slots}")
        if not shards:
            why = f"no worker takes {task.name}"
            raise ExecutorError(self._executor, why, "wait until the executor is ready")
        shard = self._wanted[task.slot] = self._smallest(shards)
        return Placement(shard, None)

    def release(self, slot: int) -> None:
        """Take a stream out of its shard."""
        self._wanted[slot] = NOBODY

    def balance(self, shards: Sequence[int]) -> None:
        """Spread all streams over these shards, whose sizes then differ by one at most."""
        for slot in np.flatnonzero((self._wanted != NOBODY) & ~np.isin(self._wanted, shards)):
            self._wanted[slot] = self._smallest(shards)
        while True:
            ordered = sorted(shards, key=self.size_of)
            least, most = ordered[0], ordered[-1]
            if self.size_of(most) - self.size_of(least) <= 1:
                return
            self._wanted[np.flatnonzero(self._wanted == most)[-1]] = least

    def size_of(self, shard: int) -> int:
        """Streams that are wanted in that shard."""
        return int(np.count_nonzero(self._wanted == shard))

    def in_use(self) -> frozenset[int]:
        """Shards with a stream, as announced or as wanted."""
        return frozenset(np.unique([self._announced.shards, self._wanted]).tolist())

    def is_pending(self, block: int) -> bool:
        """Whether what was announced last is not yet in force while this block is captured."""
        return self._announced.version > 0 and block <= self._announced.from_block

    def announce(self, from_block: int, batch_size: int) -> Assignment | None:
        """Have what is wanted in force from this block on; None where it is already."""
        unchanged = np.array_equal(self._wanted, self._announced.shards)
        if unchanged and batch_size == self._announced.batch_size:
            return None
        self._announced = self._table.publish(from_block, batch_size, self._wanted)
        return self._announced

    def _smallest(self, shards: Sequence[int]) -> int:
        return min(shards, key=self.size_of)
