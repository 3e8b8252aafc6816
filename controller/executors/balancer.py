"""Decides which worker renders which stream, and announces it in the stream table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from controller.errors import ExecutorError
from controller.executors.executor import Placement, Task
from controller.executors.stream_table import NOBODY, Assignment, StreamTable


class Balancer:
    """Keeps the workers' shares of the streams within one of each other, in the fewest moves.

    What is wanted changes at once; what is announced changes only once the assignment before is
    in force, so that two are known at any time.
    """

    def __init__(self, executor: str, table: StreamTable) -> None:
        self._executor = executor
        self._table = table
        self._announced = table.latest()
        self._wanted: NDArray[np.int16] = self._announced.workers.copy()

    @property
    def announced(self) -> Assignment:
        """The assignment announced last."""
        return self._announced

    def place(self, task: Task, workers: Sequence[int]) -> Placement:
        """Give a stream to the one of these workers that has fewest.

        Raises ExecutorError where the task names no slot, or one that does not exist, and where
        there is no worker.
        """
        slots = len(self._wanted)
        if task.slot is None or not 0 <= task.slot < slots:
            why = f"task {task.name} names no slot that exists"
            raise ExecutorError(self._executor, why, f"give a slot below {slots}")
        if not workers:
            why = f"no worker takes {task.name}"
            raise ExecutorError(self._executor, why, "wait until the executor is ready")
        worker = self._wanted[task.slot] = self._least_loaded(workers)
        return Placement(worker, None)

    def release(self, slot: int) -> None:
        """Take a stream off its worker."""
        self._wanted[slot] = NOBODY

    def balance(self, workers: Sequence[int]) -> None:
        """Have these workers render all streams, with loads that differ by one at most."""
        for slot in np.flatnonzero((self._wanted != NOBODY) & ~np.isin(self._wanted, workers)):
            self._wanted[slot] = self._least_loaded(workers)
        while True:
            ordered = sorted(workers, key=self._load_of)
            least, most = ordered[0], ordered[-1]
            if self._load_of(most) - self._load_of(least) <= 1:
                return
            self._wanted[np.flatnonzero(self._wanted == most)[-1]] = least

    def in_use(self) -> frozenset[int]:
        """Workers with a stream, as announced or as wanted."""
        return frozenset(np.unique([self._announced.workers, self._wanted]).tolist())

    def is_pending(self, block: int) -> bool:
        """Whether what was announced last is not yet in force while this block is captured."""
        return self._announced.version > 0 and block <= self._announced.from_block

    def announce(self, from_block: int, batch_size: int) -> Assignment | None:
        """Have what is wanted in force from this block on; None where it is already."""
        unchanged = np.array_equal(self._wanted, self._announced.workers)
        if unchanged and batch_size == self._announced.batch_size:
            return None
        self._announced = self._table.publish(from_block, batch_size, self._wanted)
        return self._announced

    def _load_of(self, worker: int) -> int:
        return int(np.count_nonzero(self._wanted == worker))

    def _least_loaded(self, workers: Sequence[int]) -> int:
        return min(workers, key=self._load_of)
