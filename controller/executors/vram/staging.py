"""Blocks of pinned host memory that copies to the device start from, used in turn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from controller.executors.vram.backing import DONE, Event


class StagingRing:
    """`blocks` buffers of `block_bytes` from `make_buffer`, each free again at its event.

    `waits` counts how often the host came round to a buffer that was still being copied.
    """

    def __init__(
        self, make_buffer: Callable[[int], NDArray[np.uint8]], blocks: int, block_bytes: int
    ) -> None:
        self._buffers = [make_buffer(block_bytes) for _ in range(blocks)]
        self._events: list[Event] = [DONE] * blocks
        self._next = 0
        self.waits = 0

    def take(self) -> NDArray[np.uint8]:
        """The next buffer, (block_bytes,) uint8, once its last copy has ended."""
        event = self._events[self._next]
        if not event.is_done:
            self.waits += 1
            event.wait()
        return self._buffers[self._next]

    def copied(self, event: Event) -> None:
        """Note when the copy from the buffer taken last will have ended, and go on to the next."""
        self._events[self._next] = event
        self._next = (self._next + 1) % len(self._buffers)
