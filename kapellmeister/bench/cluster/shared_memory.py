"""The floor: blocks in shared memory, and an eventfd to wake each worker and be woken."""

from __future__ import annotations

import mmap
import os
from functools import partial

import numpy as np

from controller.executors.processes import ProcessGroup
from kapellmeister.bench.cluster.plane import (
    PERIOD_FRAMES,
    STREAMS,
    Blocks,
    nothing_back,
    shares,
)


class SharedMemory:
    """Anonymous memory that the workers inherit, so that it works on one machine alone."""

    def __init__(self, workers: int, group: ProcessGroup) -> None:
        self._out, self._back = _shared(), _shared()
        self._returned = nothing_back()
        self._wakers = [(os.eventfd(0), os.eventfd(0)) for _ in range(workers)]
        for waker, share in zip(self._wakers, shares(workers), strict=True):
            work = partial(_work, self._out[share], self._back[share], *waker)
            group.start("bench shm", "worker", work)

    def round(self, blocks: Blocks) -> Blocks:
        """To all workers and back."""
        self._out[:] = blocks
        for there, _ in self._wakers:
            os.eventfd_write(there, 1)
        for _, back in self._wakers:
            os.eventfd_read(back)
        self._returned[:] = self._back
        return self._returned

    def close(self) -> None:
        """Close the descriptors."""
        for waker in self._wakers:
            for descriptor in waker:
                os.close(descriptor)


def _shared() -> Blocks:
    size_bytes = STREAMS * PERIOD_FRAMES * 4
    return np.frombuffer(mmap.mmap(-1, size_bytes), np.float32).reshape(STREAMS, PERIOD_FRAMES)


def _work(taken: Blocks, given: Blocks, there: int, back: int) -> None:
    while True:
        os.eventfd_read(there)
        given[:] = taken
        os.eventfd_write(back, 1)
