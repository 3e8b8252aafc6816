"""What device memory is used for, exact after every operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controller.executors.vram.space.space import Space
from controller.executors.vram.usage import Usage
from policies.observation import Missing, Reading, Value


@dataclass(frozen=True, slots=True)
class Account:
    """All bytes of the arena: total = used + free + draining, and counts since the start.

    `used_bytes` are those of live allocations, rounded up; `by_usage` and `by_owner` sum to it.
    `free_bytes` may lie in pieces, the largest of `largest_free_bytes`; `idle_bytes` of them are
    slots of slabs, for small allocations only. `draining_bytes` were freed while the device may
    use them, or are held by a pass. `internal_fragmentation` is the share of what is held that
    nobody asked for. `slab_hits` counts allocations that found a slot without a new slab.
    """

    total_bytes: int
    used_bytes: int
    free_bytes: int
    draining_bytes: int
    idle_bytes: int
    largest_free_bytes: int
    by_usage: Mapping[Usage, int]
    by_owner: Mapping[str, int]
    internal_fragmentation: Reading
    allocations: int
    slab_hits: int
    failures_full: int
    failures_fragmented: int
    passes: int
    defragmented_bytes: int
    defragmentation_s: float
    evictions: int
    yields: int


class Ledger:
    """Sums and counts as they stand; the manager tells of each change."""

    __slots__ = (
        "allocations",
        "by_owner",
        "by_usage",
        "defragmentation_s",
        "defragmented_bytes",
        "evictions",
        "failures",
        "passes",
        "requested_bytes",
        "used_bytes",
        "yields",
    )

    def __init__(self) -> None:
        self.by_usage: dict[Usage, int] = dict.fromkeys(Usage, 0)
        self.by_owner: dict[str, int] = {}
        self.failures: Counter[str] = Counter()
        self.requested_bytes = self.used_bytes = 0
        self.allocations = self.evictions = self.yields = 0
        self.passes = self.defragmented_bytes = 0
        self.defragmentation_s = 0.0

    def took(self, usage: Usage, owner: str, asked_bytes: int, held_bytes: int) -> None:
        """Note an allocation."""
        self.allocations += 1
        self.requested_bytes += asked_bytes
        self.used_bytes += held_bytes
        self.by_usage[usage] += held_bytes
        self.by_owner[owner] = self.by_owner.get(owner, 0) + held_bytes

    def gave(self, usage: Usage, owner: str, asked_bytes: int, held_bytes: int) -> None:
        """Note that it was freed; an owner of nothing is forgotten."""
        self.requested_bytes -= asked_bytes
        self.used_bytes -= held_bytes
        self.by_usage[usage] -= held_bytes
        left = self.by_owner[owner] - held_bytes
        if left:
            self.by_owner[owner] = left
        else:
            del self.by_owner[owner]

    def moved(self, size_bytes: int, seconds: float) -> None:
        """Note a pass that was committed, and how long it took since it began."""
        self.passes += 1
        self.defragmentation_s += seconds
        self.defragmented_bytes += size_bytes


def account(ledger: Ledger, space: Space, total_bytes: int) -> Account:
    """The account of an arena at this moment."""
    draining = space.draining_bytes + space.reserved_bytes
    largest = next(space.region.largest(), None)
    return Account(
        total_bytes=total_bytes,
        used_bytes=ledger.used_bytes,
        free_bytes=total_bytes - ledger.used_bytes - draining,
        draining_bytes=draining,
        idle_bytes=space.slabs.idle_bytes,
        largest_free_bytes=0 if largest is None else largest.size_bytes,
        by_usage=MappingProxyType(dict(ledger.by_usage)),
        by_owner=MappingProxyType(dict(ledger.by_owner)),
        internal_fragmentation=_internal(ledger, space),
        allocations=ledger.allocations,
        slab_hits=space.slabs.hits,
        failures_full=ledger.failures["full"],
        failures_fragmented=ledger.failures["fragmented"],
        passes=ledger.passes,
        defragmented_bytes=ledger.defragmented_bytes,
        defragmentation_s=ledger.defragmentation_s,
        evictions=ledger.evictions,
        yields=ledger.yields,
    )


def _internal(ledger: Ledger, space: Space) -> Reading:
    held = ledger.used_bytes + space.slabs.tail_bytes
    if not ledger.used_bytes:
        return Missing("nothing is allocated")
    return Value(1.0 - ledger.requested_bytes / held)
