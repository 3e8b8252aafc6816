"""What was allocated and freed in which order, to play it to another allocator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from controller.errors import DeviceMemoryError
from controller.executors.vram.handle import Handle
from controller.executors.vram.usage import Usage

Held = TypeVar("Held")
USAGES = tuple(Usage)


class Allocator(Protocol[Held]):
    """Whatever shares memory out: the manager, one of its parts, or another library's pool."""

    def allocate(self, size_bytes: int, usage: Usage, owner: str) -> Held:
        """Bytes for an owner. Raises DeviceMemoryError where there is no room."""
        ...

    def free(self, handle: Held) -> None:
        """Give them back."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AllocationTrace:
    """Operations in order: each allocates or frees the allocation of a number.

    `numbers` (n,) counts allocations from 0 in the order of their first mention; `sizes` (n,) are
    bytes, 0 where it is freed; `usages` (n,) are places in `USAGES`.
    """

    numbers: NDArray[np.int64]
    sizes: NDArray[np.int64]
    usages: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[tuple[int, int, Usage]]:
        usages = (USAGES[place] for place in self.usages.tolist())
        return zip(self.numbers.tolist(), self.sizes.tolist(), usages, strict=True)

    def save(self, path: Path) -> None:
        """Write it as a compressed .npz."""
        np.savez_compressed(path, numbers=self.numbers, sizes=self.sizes, usages=self.usages)

    @classmethod
    def load(cls, path: Path) -> AllocationTrace:
        """Read what `save` wrote. Raises OSError, and ValueError or KeyError for another file."""
        with np.load(path) as found:
            return cls(found["numbers"], found["sizes"], found["usages"])


class TraceWriter:
    """Operations as they come, and the trace of all."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int]] = []

    def write(self, number: int, size_bytes: int, usage: Usage) -> None:
        """Append an operation; a size of 0 frees."""
        self._rows.append((number, size_bytes, USAGES.index(usage)))

    def trace(self) -> AllocationTrace:
        """All operations so far."""
        rows = np.array(self._rows, np.int64).reshape(-1, 3)
        return AllocationTrace(rows[:, 0], rows[:, 1], rows[:, 2].astype(np.uint8))


class Recorded:
    """An allocator whose operations are recorded, with those that were refused."""

    def __init__(self, allocator: Allocator[Handle]) -> None:
        self._allocator = allocator
        self._writer = TraceWriter()
        self._numbers: dict[Handle, int] = {}
        self._count = 0

    def allocate(self, size_bytes: int, usage: Usage, owner: str) -> Handle:
        """As the allocator does; recorded also where it raises."""
        number, self._count = self._count, self._count + 1
        self._writer.write(number, size_bytes, usage)
        handle = self._allocator.allocate(size_bytes, usage, owner)
        self._numbers[handle] = number
        return handle

    def free(self, handle: Handle) -> None:
        """As the allocator does."""
        self._allocator.free(handle)
        self._writer.write(self._numbers.pop(handle), 0, handle.usage)

    def trace(self) -> AllocationTrace:
        """All operations so far."""
        return self._writer.trace()


def replay(trace: AllocationTrace, allocator: Allocator[Held]) -> tuple[int, ...]:
    """Play all operations in order; the numbers that were refused, which are not freed later."""
    held: dict[int, Held] = {}
    refused = []
    for number, size_bytes, usage in trace:
        if not size_bytes:
            if number in held:
                allocator.free(held.pop(number))
            continue
        try:
            held[number] = allocator.allocate(size_bytes, usage, usage.value)
        except DeviceMemoryError:
            refused.append(number)
    return tuple(refused)
