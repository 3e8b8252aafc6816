"""The arena's face: allocate, free, pin, move, and account for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controller.errors import DeviceMemoryError, PinnedError
from controller.executors.vram.account import Account, Ledger, account
from controller.executors.vram.allocation import Allocation, AllocationTable
from controller.executors.vram.backing import Backing, Event
from controller.executors.vram.config import VRAMConfig, check_block_bytes
from controller.executors.vram.defragmentation.defragmenter import Defragmenter
from controller.executors.vram.defragmentation.moves import Moves
from controller.executors.vram.handle import Handle
from controller.executors.vram.pressure import Yielding
from controller.executors.vram.space.space import Space
from controller.executors.vram.usage import Usage, yielding_to


class VRAMManager:
    """Shares one region of device memory out; one thread alone may call it.

    Small allocations lie in slabs of `block_bytes`, the rest by best fit. Handles stay, while what
    they name may move in a pass: an offset is good until the next `allocate`, `defragment` or
    commit, and beyond that while pinned. Kernels under way are told of by `used` or `used_by_all`.
    """

    def __init__(
        self,
        backing: Backing,
        config: VRAMConfig,
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        check_block_bytes(config.block_bytes, backing.size_bytes)
        self._backing = backing
        self._config = config
        self._table = AllocationTable()
        self._ledger = Ledger()
        self._yielding = Yielding()
        self._space = Space(backing.size_bytes, config.block_bytes, backing.released)
        self._defragmenter = Defragmenter(self._space, backing, self._ledger, now_s)

    @property
    def block_bytes(self) -> int:
        """Size of new slabs."""
        return self._space.slabs.block_bytes

    def resize_blocks(self, block_bytes: int) -> None:
        """Make slabs of that size from now on; old ones drain. Raises ConfigurationError."""
        check_block_bytes(block_bytes, self._backing.size_bytes)
        if block_bytes != self.block_bytes:
            self._space.slabs.resize(block_bytes)

    def taken_bytes(self, size_bytes: int) -> float:
        """Bytes of the arena that one of many allocations of this size takes, as a mean."""
        return self._space.slabs.taken_bytes(size_bytes)

    def allocate(
        self,
        size_bytes: int,
        usage: Usage,
        owner: str,
        on_yield: Callable[[Handle], None] | None = None,
    ) -> Handle:
        """Bytes for an owner, aligned to 256.

        With `on_yield` they may be taken away for somebody who ranks above: it is called with the
        handle, stale by then, and may not call the manager. Where they are not at hand, bytes are
        moved together, caches evicted, the device waited for and lesser usages made to yield, in
        this order. Raises DeviceMemoryError where all this does not help.
        """
        if size_bytes < 1:
            raise ValueError(f"{owner} asked for {size_bytes} bytes of device memory")
        if self._space.draining:
            self._space.settle()
        row = self._table.spare()
        if not self._space.place(row, size_bytes, usage):
            self._find_room(row, size_bytes, usage, owner)
        handle = row.handle = Handle(row.id, row.generation, size_bytes, usage, owner)
        self._ledger.took(usage, owner, size_bytes, row.held_bytes)
        if on_yield is not None:
            self.let_yield(handle, on_yield)
        return handle

    def free(self, handle: Handle) -> None:
        """Give bytes back; nobody else has them before every use is done.

        Raises StaleHandleError, and PinnedError while it must stay where it is.
        """
        row = self._table.find(handle)
        if row.pins:
            raise PinnedError(handle.owner, "freed")
        self._retire(row)

    def offset(self, handle: Handle) -> int:
        """Bytes from the start of the arena to its first. Raises StaleHandleError."""
        row = self._table.find(handle)
        return row.extent.offset + row.within_bytes

    @contextmanager
    def pinned(self, handle: Handle) -> Iterator[int]:
        """Keep it where it is meanwhile; gives its offset. Raises StaleHandleError."""
        offset = self.pin_for_good(handle)
        try:
            yield offset
        finally:
            self.unpin(handle)

    def pin_for_good(self, handle: Handle) -> int:
        """Keep it where it is, since a graph captured its offset, until `unpin`; the offset."""
        row = self._table.find(handle)
        row.pins += 1
        row.extent.pins += 1
        row.extent.version += 1
        return row.extent.offset + row.within_bytes

    def unpin(self, handle: Handle) -> None:
        """Take one pin away. Raises StaleHandleError."""
        row = self._table.find(handle)
        row.pins -= 1
        row.extent.pins -= 1

    def used(self, handle: Handle, stream: str, event: Event) -> None:
        """Note that a stream of the device uses it until that event. Raises StaleHandleError."""
        row = self._table.find(handle)
        row.uses[stream] = event
        row.extent.version += 1

    @property
    def passes(self) -> int:
        """Passes that were committed: offsets from before the last are not to be used."""
        return self._ledger.passes

    def used_by_all(self, stream: str, event: Event) -> None:
        """Note that a stream may use every live allocation until that event: one call a batch."""
        self._space.used_by_all(stream, event)

    def let_yield(self, handle: Handle, on_yield: Callable[[Handle], None] | None) -> None:
        """Let it be taken away from now on, after all of its usage; or, with None, no longer."""
        row = self._table.find(handle)
        row.on_yield = on_yield
        if on_yield is None:
            self._yielding.remove(row)
        else:
            self._yielding.add(row)

    def defragment(self, budget_bytes: int) -> Moves:
        """Begin one pass that moves at most so many bytes, to be committed once it is ready.

        Makes room for what was refused last, or else doubles the largest free extent.
        """
        return self._defragmenter.begin(budget_bytes)

    def relocate(self, handle: Handle) -> Moves:
        """Begin to move one allocation, and the slab around it.

        Raises PinnedError while any of it is pinned or in use, and DeviceMemoryError where nothing
        else is free.
        """
        row = self._table.find(handle)
        if not (row.extent.is_movable and self._space.is_idle):
            raise PinnedError(handle.owner, "moved")
        moves = self._defragmenter.relocate(row.extent)
        if moves is None:
            raise self._refusal(handle.owner, row.extent.size_bytes)
        return moves

    def account(self) -> Account:
        """What all bytes are used for at this moment."""
        return account(self._ledger, self._space, self._backing.size_bytes)

    def close(self) -> None:
        """Give the arena back to the device."""
        self._backing.close()

    def _retire(self, row: Allocation) -> None:
        handle = row.handle
        if row.on_yield is not None:
            self._yielding.remove(row)
        self._space.release(row, row.uses.values())
        self._ledger.gave(handle.usage, handle.owner, handle.size_bytes, row.held_bytes)
        self._table.retire(row)

    def _find_room(self, row: Allocation, size_bytes: int, usage: Usage, owner: str) -> None:
        for _ in self._remedies(size_bytes, usage):
            if self._space.place(row, size_bytes, usage):
                return
        self._table.retire(row)
        self._defragmenter.refused_bytes = size_bytes
        raise self._refusal(owner, size_bytes)

    def _remedies(self, size_bytes: int, usage: Usage) -> Iterator[None]:
        """Do one thing after another that may make room, the mildest first."""
        space, budget_bytes = self._space, self._config.inline_bytes
        if space.settle_all():
            yield
        if self._defragmenter.make_room(size_bytes, budget_bytes):
            yield
        while self._take_away(Usage.CACHE):
            self._ledger.evictions += 1
            yield
        while space.wait():
            yield
        if self._defragmenter.make_room(size_bytes, budget_bytes):
            yield
        yield from self._yields(size_bytes, usage)

    def _yields(self, size_bytes: int, waiter: Usage) -> Iterator[None]:
        """Take streams away one by one, if all of them together would do."""
        space = self._space
        usages = yielding_to(waiter, self._config.priority, self._ledger.by_usage)
        if space.free_bytes + self._yielding.size_bytes(usages) < size_bytes:
            return
        for usage in usages:
            while self._take_away(usage):
                self._ledger.yields += 1
                while space.wait():
                    pass
                yield
                if self._defragmenter.make_room(size_bytes, self._config.inline_bytes):
                    yield

    def _take_away(self, usage: Usage) -> bool:
        row = self._yielding.first(usage)
        if row is None or row.on_yield is None:
            return False
        handle, on_yield = row.handle, row.on_yield
        self._retire(row)
        on_yield(handle)
        return True

    def _refusal(self, owner: str, size_bytes: int) -> DeviceMemoryError:
        free_bytes = self._space.free_bytes
        reason = "full" if free_bytes < size_bytes else "fragmented"
        self._ledger.failures[reason] += 1
        largest = next(self._space.region.largest(), None)
        largest_bytes = 0 if largest is None else largest.size_bytes
        return DeviceMemoryError(owner, size_bytes, reason, free_bytes, largest_bytes)
