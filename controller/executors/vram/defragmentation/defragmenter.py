"""When allocations are moved together, and how much at a time."""

from __future__ import annotations

from collections.abc import Callable

from controller.executors.vram.account import Ledger
from controller.executors.vram.backing import Backing
from controller.executors.vram.defragmentation.moves import Moves, clear
from controller.executors.vram.defragmentation.push import push_together
from controller.executors.vram.defragmentation.window import cheapest_windows, cleared, pushed
from controller.executors.vram.space.extent import Extent
from controller.executors.vram.space.space import Space


class Defragmenter:
    """Clears the cheapest window, or pushes it together where there is no room elsewhere.

    `refused_bytes` is what was refused last for want of one."""

    def __init__(
        self, space: Space, backing: Backing, ledger: Ledger, now_s: Callable[[], float]
    ) -> None:
        self._space = space
        self._backing = backing
        self._ledger = ledger
        self._now_s = now_s
        self.refused_bytes: int | None = None

    def begin(self, budget_bytes: int) -> Moves:
        """A pass of at most so many bytes: for what was refused, or to double the largest piece."""
        largest = next(self._space.region.largest(), None)
        doubled = self._space.slabs.block_bytes if largest is None else 2 * largest.size_bytes
        wanted, self.refused_bytes = self.refused_bytes or doubled, None
        return self._begin(wanted, budget_bytes) or Moves(self._space, (), (), self._note())

    def make_room(self, size_bytes: int, budget_bytes: int) -> bool:
        """Move bytes out of an allocation's way, and wait for them; False where that cannot be."""
        if self._space.free_bytes < size_bytes:
            return False
        moves = self._begin(size_bytes, budget_bytes)
        if moves is None:
            return self._push(size_bytes, budget_bytes)
        moves.commit()
        return True

    def relocate(self, extent: Extent) -> Moves | None:
        """A pass that moves one extent, which is movable; None where nothing else is as large."""
        return clear(self._space, self._backing, [extent], self._note())

    def _begin(self, size_bytes: int, budget_bytes: int) -> Moves | None:
        if not self._space.is_idle:
            return None
        noted = self._note()
        region = self._space.region
        for window in cheapest_windows(region, size_bytes, budget_bytes, cleared):
            moves = clear(self._space, self._backing, list(window), noted)
            if moves is not None:
                return moves
        return None

    def _push(self, size_bytes: int, budget_bytes: int) -> bool:
        if not self._space.is_idle:
            return False
        noted = self._note()
        region = self._space.region
        for window in cheapest_windows(region, size_bytes, budget_bytes, pushed):
            if push_together(self._space, self._backing, list(window)):
                noted(window.moved_bytes)
                return True
        return False

    def _note(self) -> Callable[[int], None]:
        """What a pass that begins now tells once it is committed: its bytes."""
        started_s = self._now_s()
        return lambda size_bytes: self._ledger.moved(size_bytes, self._now_s() - started_s)
