"""A worker's shards, and how streams are warmed up before they sound in them."""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from controller.executors.shards.ownership import Ownership
from controller.executors.stream_table import Assignment, StreamTable

Slots = NDArray[np.intp]
NONE: Slots = np.empty(0, np.intp)


class Renderer(Protocol):
    """Renders streams, unheard too, so that they sound as if they had always been here."""

    @property
    def memory_blocks(self) -> int:
        """Past blocks after which a stream is as it would be."""
        ...

    def begin(self, slots: Slots) -> None:
        """Give these streams a state that knows no past."""
        ...

    def end(self, slots: Slots) -> None:
        """Let go of the states of these streams; harmless where there is none."""
        ...

    def render_unheard(self, block: int, slots: Slots) -> None:
        """Advance the states of these streams by that block of their input."""
        ...

    def render_batches(self, block: int, shard: int, slots: Slots, batch_size: int) -> None:
        """Render a block of this shard, and hand its batches on."""
        ...

    def next_playable(self, block: int) -> int:
        """This block, or the first after it that is still to be played."""
        ...


class Share:
    """The shards that one worker owns: their streams, and those about to join.

    Streams come and go at the block that an assignment names, and are warmed up before. A shard
    changes hands at once: whoever gets it replays the memory of its streams, renders what is still
    owed, and goes on with it beside its own.
    """

    def __init__(
        self, number: int, table: StreamTable, ownership: Ownership, renderer: Renderer
    ) -> None:
        self._number = number
        self._table = table
        self._ownership = ownership
        self._renderer = renderer
        self._now = table.latest()
        self._next: Assignment | None = None
        self._joining = NONE
        self._warm_from = 0
        self._replayed = 0
        self._epoch = ownership.epoch
        self._shards = ownership.shards_of(number)
        self._slots = self._slots_in(self._now)
        self._parts = self._parted()

    @property
    def batch_size(self) -> int:
        """Streams per kernel call, as it is in force."""
        return self._now.batch_size

    @property
    def is_idle(self) -> bool:
        """Whether this worker has no streams, and stands by."""
        return not len(self._slots)

    def render(self, block: int) -> None:
        """Render a block of every shard, then prepare the streams that are about to join."""
        self.change_over(block)
        for shard, slots in self._parts:
            self._renderer.render_batches(block, shard, slots, self._now.batch_size)
            self._ownership.hand_on(shard, block)
        self._warm_up(block)

    def restart_warm_up(self) -> None:
        """Warm joining streams up from the beginning: the blocks before are no longer in a row."""
        if self._next is not None:
            self._renderer.end(self._joining)
            self._restart(self._next)

    # streams that come and go with an assignment

    def change_over(self, block: int) -> None:
        """Adopt a new assignment at the block that it names, and a change of hands at once."""
        if self._next is None and self._table.version != self._now.version:
            self._next = self._table.latest()
            self._joining = np.setdiff1d(self._slots_in(self._next), self._slots)
            self._restart(self._next)
        if self._next is not None and block >= self._next.from_block:
            self._adopt(self._next)
        if self._ownership.epoch != self._epoch:
            self._change_hands(block)

    def _adopt(self, following: Assignment) -> None:
        self._warm_up(following.from_block - 1)
        self._now, self._next, self._joining = following, None, NONE
        self._regroup()

    def _warm_up(self, block: int) -> None:
        """Render joining streams unheard up to this block."""
        if self._next is None or not len(self._joining):
            return
        last = min(block, self._next.from_block - 1)
        self._render_unheard(range(max(0, self._warm_from), last + 1), self._joining)
        self._warm_from = max(self._warm_from, last + 1)

    def _restart(self, following: Assignment) -> None:
        self._renderer.begin(self._joining)
        self._warm_from = following.from_block - self._renderer.memory_blocks

    def _render_unheard(self, blocks: range, slots: Slots) -> None:
        size = self._now.batch_size
        for block in blocks:
            for first in range(0, len(slots), size):
                self._renderer.render_unheard(block, slots[first : first + size])

    def _regroup(self) -> None:
        """Know the streams of the shards that are owned now, and let go of all others."""
        before, self._slots = self._slots, self._slots_in(self._now)
        self._parts = self._parted()
        self._renderer.end(np.setdiff1d(before, self._slots))

    def _slots_in(self, assignment: Assignment) -> Slots:
        return np.flatnonzero(np.isin(assignment.shards, self._shards))

    def _parted(self) -> list[tuple[int, Slots]]:
        return [(shard, self._now.slots_of(shard)) for shard in self._shards]

    # shards that change hands

    def _change_hands(self, block: int) -> None:
        """Give up the shards that others own now, and take over those that are new here."""
        self._epoch = self._ownership.epoch
        owned = self._ownership.shards_of(self._number)
        taken = [shard for shard in owned if shard not in self._shards]
        self._shards = tuple(shard for shard in self._shards if shard in owned)
        self._regroup()
        for shard in taken:
            self._catch_up(shard, block)
        self._shards = owned
        self._regroup()
        if self._next is not None:
            self._renderer.end(np.setdiff1d(self._joining, self._slots))
            self._joining = np.setdiff1d(self._slots_in(self._next), self._slots)
            self._restart(self._next)

    def _catch_up(self, shard: int, block: int) -> None:
        """Render what is still owed of a shard, until it stands where this worker does."""
        first = self._renderer.next_playable(self._ownership.handed_on(shard) + 1)
        resent = self._replayed = 0
        slots = touched = NONE
        for owed in range(first, block):
            assignment = self._table.at(owed)
            slots = self._moved(owed, slots, assignment.slots_of(shard))
            self._renderer.render_batches(owed, shard, slots, assignment.batch_size)
            self._ownership.hand_on(shard, owed)
            touched = np.union1d(touched, slots)
            resent += len(slots)
        self._moved(block, slots, self._now.slots_of(shard))
        self._moved(block, NONE, np.intersect1d(touched, self._slots))
        self._ownership.catch_up(shard, resent, self._replayed, time.monotonic_ns())

    def _moved(self, block: int, before: Slots, after: Slots) -> Slots:
        """Have these streams be here from this block on instead of those, their past replayed."""
        joining = np.setdiff1d(after, before)
        if len(joining):
            self._renderer.end(joining)
            self._renderer.begin(joining)
            past = range(max(0, block - self._renderer.memory_blocks), block)
            self._render_unheard(past, joining)
            self._replayed += len(past) * len(joining)
        self._renderer.end(np.setdiff1d(before, after))
        return after
