"""Which worker renders which stream, from which block on."""

from __future__ import annotations

import mmap
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
"""Number of no worker: the slot is free."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """From block `from_block` on, slot s is rendered by `workers[s]` (NOBODY where it is free).

    `workers` has shape (slots,); `batch_size` is the streams per kernel call.
    """

    version: int
    from_block: int
    batch_size: int
    workers: NDArray[np.int16]

    def slots_of(self, worker: int) -> NDArray[np.intp]:
        """The slots of one worker, ascending; its batches are consecutive parts of these."""
        return np.flatnonzero(self.workers == worker)

    @property
    def live(self) -> NDArray[np.intp]:
        """All slots in use, ascending."""
        return np.flatnonzero(self.workers != NOBODY)


class StreamTable:
    """Two assignments in shared memory: the one in force and the next.

    The writer publishes one version at a time, and the next only after that one is in force.
    Workers read both, and change over at the block that the assignment names: no lock, and
    no block in which two workers differ about who renders a stream.
    """

    _HEADER = 64

    def __init__(self, slots: int, batch_size: int) -> None:
        stride = self._HEADER + 2 * slots
        stride += -stride % 8
        self._memory = mmap.mmap(-1, self._HEADER + 2 * stride)
        self._version: NDArray[np.int64] = np.frombuffer(self._memory, np.int64, 1, 0)
        starts = (self._HEADER, self._HEADER + stride)
        self._headers = [np.frombuffer(self._memory, np.int64, 2, start) for start in starts]
        self._workers = [
            np.frombuffer(self._memory, np.int16, slots, start + self._HEADER) for start in starts
        ]
        for half in (0, 1):
            self._headers[half][:] = (0, batch_size)
            self._workers[half][:] = NOBODY

    @property
    def version(self) -> int:
        """The latest version published."""
        return int(self._version[0])

    def publish(self, from_block: int, batch_size: int, workers: NDArray[np.int16]) -> Assignment:
        """Announce who renders what from a block that is still to come."""
        version = self.version + 1
        half = version % 2
        self._headers[half][:] = (from_block, batch_size)
        self._workers[half][:] = workers
        self._version[0] = version
        return self._read(version)

    def latest(self) -> Assignment:
        """The assignment announced last, in force or still to come."""
        return self._read(self.version)

    def _read(self, version: int) -> Assignment:
        from_block, batch_size = self._headers[version % 2]
        workers = self._workers[version % 2].copy()
        return Assignment(version, int(from_block), int(batch_size), workers)
