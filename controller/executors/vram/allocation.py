"""What the manager knows of each allocation, and the table of all."""

from __future__ import annotations

from collections.abc import Callable

from controller.errors import StaleHandleError
from controller.executors.vram.backing import Event
from controller.executors.vram.handle import Handle
from controller.executors.vram.space.extent import Extent
from controller.executors.vram.space.slabs import Slab


class Allocation:
    """A row of the table, used again once its allocation was freed.

    It lies `within_bytes` from the start of `extent` and takes `held_bytes` of it, in a slot of
    `slab` where it is small. `uses` holds the last event of each stream that uses it.
    """

    __slots__ = (
        "extent",
        "generation",
        "handle",
        "held_bytes",
        "id",
        "on_yield",
        "pins",
        "slab",
        "slot",
        "uses",
        "within_bytes",
    )

    handle: Handle
    extent: Extent

    def __init__(self, id_: int) -> None:
        self.id = id_
        self.generation = 0
        self.slab: Slab | None = None
        self.slot = 0
        self.within_bytes = 0
        self.held_bytes = 0
        self.pins = 0
        self.uses: dict[str, Event] = {}
        self.on_yield: Callable[[Handle], None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no stream of the device uses it."""
        return not self.uses or all(event.is_done for event in self.uses.values())


class AllocationTable:
    """Rows by id; an id is given away again, with another generation."""

    def __init__(self) -> None:
        self._rows: list[Allocation] = []
        self._spare: list[Allocation] = []

    def spare(self) -> Allocation:
        """A row that no live allocation has."""
        if self._spare:
            return self._spare.pop()
        row = Allocation(len(self._rows))
        self._rows.append(row)
        return row

    def find(self, handle: Handle) -> Allocation:
        """The allocation that a handle names. Raises StaleHandleError once it was freed."""
        row = self._rows[handle.id]
        if row.generation != handle.generation:
            raise StaleHandleError(handle.owner)
        return row

    def retire(self, row: Allocation) -> None:
        """Make every handle of a row stale."""
        row.generation += 1
        row.on_yield = None
        row.uses.clear()
        self._spare.append(row)
