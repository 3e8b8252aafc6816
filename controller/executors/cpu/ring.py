"""The shared-memory ring through which a worker hands its finished batches on."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from controller.executors.batch import BATCH


class Ring:
    """A queue of one writer and one reader, without a lock: the count of batches is stored last.

    The memory is anonymous and inherited by fork, so that nothing is left behind whichever
    process dies. A ring that the reader has not emptied takes no more: the batch is dropped,
    and its streams are counted as missed because nobody could have played them.
    """

    def __init__(self, entries: int, period_frames: int) -> None:
        self._entries = entries
        bus_bytes = entries * 2 * period_frames * 4
        self._memory = mmap.mmap(-1, 128 + entries * BATCH.itemsize + bus_bytes)
        self._written: NDArray[np.int64] = np.frombuffer(self._memory, np.int64, 1, 0)
        self._open: NDArray[np.int64] = np.frombuffer(self._memory, np.int64, 1, 8)
        self._passed: NDArray[np.int64] = np.frombuffer(self._memory, np.int64, 1, 16)
        self._read: NDArray[np.int64] = np.frombuffer(self._memory, np.int64, 1, 64)
        self._batches = np.frombuffer(self._memory, BATCH, entries, 128)
        offset = 128 + entries * BATCH.itemsize
        self._buses = np.frombuffer(
            self._memory, np.float32, entries * 2 * period_frames, offset
        ).reshape(entries, 2, period_frames)

    @property
    def is_open(self) -> bool:
        """Whether a writer is at work."""
        return bool(self._open[0])

    @property
    def passed(self) -> int:
        """The latest block that the writer is through with: rendered, or given up as played."""
        return int(self._passed[0])

    def open(self, block: int = 0) -> None:
        """Announce that the writer is at work, from this block on."""
        self.passed_by(block - 1)
        self._open[0] = 1

    def passed_by(self, block: int) -> None:
        """Take note that the writer is through with this block."""
        self._passed[0] = block

    def recycle(self) -> None:
        """Make the ring fit for another writer, once the one before has ended."""
        self._open[0] = 0
        self._read[0] = self._written[0]

    def bus(self) -> NDArray[np.float32] | None:
        """Where the writer puts the sound of its next batch, (2, period_frames); None if full."""
        written = int(self._written[0])
        if written - int(self._read[0]) >= self._entries:
            return None
        bus: NDArray[np.float32] = self._buses[written % self._entries]
        return bus

    def write(self, batch: tuple[int, ...]) -> None:
        """Hand the batch on whose sound lies in `bus()`; fields in the order of BATCH."""
        written = int(self._written[0])
        self._batches[written % self._entries] = batch
        self._written[0] = written + 1

    def read(self) -> tuple[NDArray[np.void], NDArray[np.float32]]:
        """All batches written since the last `read`, (n,), and their sound, (n, 2, frames)."""
        first, last = int(self._read[0]), int(self._written[0])
        places = np.arange(first, last) % self._entries
        batches, buses = self._batches[places], self._buses[places]
        self._read[0] = last
        return batches, buses
