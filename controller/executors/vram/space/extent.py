"""A run of neighbouring bytes of the arena, linked to its neighbours by address."""

from __future__ import annotations

from typing import Protocol

from controller.executors.vram.handle import Handle


class Keeper(Protocol):
    """Whatever has an extent as a whole, and has to be told where it went."""

    extent: Extent


class Resident(Keeper, Protocol):
    """An allocation within an extent."""

    handle: Handle

    @property
    def is_idle(self) -> bool:
        """Whether no stream of the device uses it."""
        ...


class Extent:
    """Free, or held by one large allocation, or by a slab of small ones.

    `residents` are the live allocations within, `pins` what keeps them where they are, and
    `draining` those that were freed while the device may still use them. `reservation` is whoever
    has plans for the extent; `version` counts whatever would make a copy of it out of date.
    """

    __slots__ = (
        "draining",
        "is_free",
        "next",
        "offset",
        "pins",
        "previous",
        "reservation",
        "residents",
        "size_bytes",
        "slab",
        "version",
    )

    def __init__(self, offset: int, size_bytes: int) -> None:
        self.offset = offset
        self.size_bytes = size_bytes
        self.previous: Extent | None = None
        self.next: Extent | None = None
        self.is_free = True
        self.reservation: object | None = None
        self.residents: set[Resident] = set()
        self.slab: Keeper | None = None
        self.draining = 0
        self.version = 0
        self.pins = 0

    @property
    def may_move(self) -> bool:
        """Whether nothing but a use by the device keeps it where it is."""
        return not (self.pins or self.draining or self.is_free) and self.reservation is None

    @property
    def is_movable(self) -> bool:
        """Whether all that lies within can be moved now."""
        return self.may_move and all(resident.is_idle for resident in self.residents)

    def move_to(self, target: Extent) -> None:
        """Have all residents live in `target`, which is held and empty, at the same distances."""
        target.residents, self.residents = self.residents, target.residents
        target.slab, self.slab = self.slab, None
        if target.slab is not None:
            target.slab.extent = target
        for resident in target.residents:
            resident.extent = target
