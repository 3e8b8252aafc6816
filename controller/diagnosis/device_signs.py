"""The figures of a device that a cause can be read from, and the limits they are held against."""

from __future__ import annotations

from dataclasses import dataclass

from policies.diagnosis import Evidence
from policies.observation import Observation, fresh

DEVICE_BUSY = 0.85
"""Share of its time beyond which a device has no reserve left."""
COPYING = 0.5
"""Part of a batch's time on the device that is copying, from which copies dominate."""
FULL = 0.95
"""Share of the arena in use beyond which it has no room for another stream."""
WASTED = 0.05
"""Share of the memory in use that holds nothing, from which blocks of another size help."""


@dataclass(frozen=True, slots=True)
class DeviceSigns:
    """The figures of one interval on a device; None where there is none.

    `busy`, `copying`, `occupied` and `wasted` are shares. `displaced` counts streams that play on
    processors or have yielded; `refused_full` and `refused_fragmented` are failed allocations a
    second.
    """

    busy: float | None = None
    utilisation: float | None = None
    clock: float | None = None
    copying: float | None = None
    copy_ms: float | None = None
    compute_ms: float | None = None
    occupied: float | None = None
    wasted: float | None = None
    wait_us: float | None = None
    displaced: float | None = None
    refused_full: float | None = None
    refused_fragmented: float | None = None

    @classmethod
    def of(cls, seen: Observation) -> DeviceSigns:
        """The figures of one interval; a plant without a device has none."""
        return cls(
            busy=_read(seen, "busy_share"),
            utilisation=_read(seen, "utilisation"),
            clock=_read(seen, "sm_clock_share"),
            copying=_read(seen, "transfer_share"),
            copy_ms=_read(seen, "transfer_in_ms"),
            compute_ms=_read(seen, "compute_ms"),
            occupied=_occupied(seen),
            wasted=_read(seen, "fragmentation_share"),
            wait_us=_read(seen, "allocation_wait_us"),
            displaced=_sum(_read(seen, "streams_on_cpu"), _read(seen, "streams_yielded")),
            refused_full=_read(seen, "allocations_full_per_s"),
            refused_fragmented=_read(seen, "allocations_fragmented_per_s"),
        )

    @property
    def is_fragmented(self) -> bool:
        """Whether an allocation failed although as much was free in pieces."""
        return (self.refused_fragmented or 0.0) > 0.0

    @property
    def is_short_of_device_memory(self) -> bool:
        """Whether streams found no room: an allocation failed, or the arena is full."""
        if self.is_fragmented or (self.refused_full or 0.0) > 0.0:
            return True
        return (self.displaced or 0.0) > 0.0 and (self.occupied or 0.0) > FULL

    def evidence(self) -> tuple[Evidence, ...]:
        """The figures that were measured, each with the limit it was held against."""
        figures = (
            ("device busy with our stages", self.busy, "of the time", DEVICE_BUSY),
            ("device in use by anybody", self.utilisation, "of the time", None),
            ("device clock", self.clock, "of the highest", None),
            ("copying", self.copying, "of a batch's time on the device", COPYING),
            ("copy of a batch to the device", self.copy_ms, "ms", None),
            ("work of a batch on the device", self.compute_ms, "ms", None),
            ("arena in use", self.occupied, "of its bytes", FULL),
            ("memory in blocks that holds nothing", self.wasted, "of that in use", WASTED),
            ("wait for device memory", self.wait_us, "us", None),
            ("streams without room on the device", self.displaced, "", 0.0),
            ("allocations refused, arena full", self.refused_full, "a second", 0.0),
            ("allocations refused, fragmented", self.refused_fragmented, "a second", 0.0),
        )
        return tuple(
            Evidence(name, value, unit, limit)
            for name, value, unit, limit in figures
            if value is not None
        )


def _read(seen: Observation, name: str) -> float | None:
    return fresh(seen.get(f"gpu.{name}"))


def _occupied(seen: Observation) -> float | None:
    total, used = _read(seen, "arena_bytes"), _read(seen, "arena_used_bytes")
    return None if not total or used is None else used / total


def _sum(*figures: float | None) -> float | None:
    """The sum of those that are known; None where none is."""
    known = [each for each in figures if each is not None]
    return sum(known) if known else None
