"""A worker's share of the streams, and how streams are warmed up before they sound in it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from controller.executors.stream_table import Assignment, StreamTable


class Renderer(Protocol):
    """Renders streams unheard, so that they sound as if they had always been here."""

    @property
    def memory_blocks(self) -> int:
        """Past blocks after which a stream is as it would be."""
        ...

    def begin(self, slots: NDArray[np.intp]) -> None:
        """Give these streams a state that knows no past."""
        ...

    def end(self, slots: NDArray[np.intp]) -> None:
        """Let go of the states of these streams, which are rendered here no longer."""
        ...

    def render_unheard(self, block: int, slots: NDArray[np.intp]) -> None:
        """Advance the states of these streams by that block of their input."""
        ...


class Share:
    """The streams that the table gives to one worker, and those about to join it."""

    def __init__(self, number: int, table: StreamTable, renderer: Renderer) -> None:
        self._number = number
        self._table = table
        self._renderer = renderer
        self._now = table.latest()
        self._next: Assignment | None = None
        self._joining = np.empty(0, np.intp)
        self._warm_from = 0
        self.slots = self._now.slots_of(number)

    @property
    def batch_size(self) -> int:
        """Streams per kernel call, as it is in force."""
        return self._now.batch_size

    def change_over(self, block: int) -> None:
        """Take note of a new assignment; adopt it at the block it names."""
        if self._next is None and self._table.version != self._now.version:
            self._next = self._table.latest()
            self._joining = np.setdiff1d(self._next.slots_of(self._number), self.slots)
            self._restart(self._next)
        if self._next is not None and block >= self._next.from_block:
            self.warm_up(self._next.from_block - 1)
            before, self.slots = self.slots, self._next.slots_of(self._number)
            self._now, self._next = self._next, None
            self._joining = self._joining[:0]
            self._renderer.end(np.setdiff1d(before, self.slots))

    def warm_up(self, block: int) -> None:
        """Render joining streams unheard up to this block."""
        if self._next is None or not len(self._joining):
            return
        last = min(block, self._next.from_block - 1)
        for earlier in range(max(0, self._warm_from), last + 1):
            for first in range(0, len(self._joining), self.batch_size):
                slots = self._joining[first : first + self.batch_size]
                self._renderer.render_unheard(earlier, slots)
        self._warm_from = max(self._warm_from, last + 1)

    def restart_warm_up(self) -> None:
        """Warm joining streams up from the beginning: the blocks before are no longer in a row."""
        if self._next is not None:
            self._renderer.end(self._joining)
            self._restart(self._next)

    def _restart(self, following: Assignment) -> None:
        self._renderer.begin(self._joining)
        self._warm_from = following.from_block - self._renderer.memory_blocks
