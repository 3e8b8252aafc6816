"""What CuPy allocates meanwhile: of the device, and out of its own pool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Allocations:
    """Counts: `of_device` by `cudaMalloc`, `of_pool` by a pool that may already have the bytes.

    `device_bytes` is by how much the free memory of the device shrank, which also tells what
    libraries take behind CuPy's back; known once the counting has ended.
    """

    of_device: int = 0
    of_pool: int = 0
    device_bytes: int = 0


@contextmanager
def counted(cupy: Any) -> Iterator[Allocations]:
    """Count the allocations of this thread in the context."""
    counts = Allocations()

    class Counter(cupy.cuda.MemoryHook):  # type: ignore[misc] # CuPy comes as an argument
        name = "kapellmeister counts allocations"

        def alloc_preprocess(self, **_: Any) -> None:
            counts.of_device += 1

        def malloc_preprocess(self, **_: Any) -> None:
            counts.of_pool += 1

    free_bytes, _ = cupy.cuda.runtime.memGetInfo()
    with Counter():
        yield counts
    counts.device_bytes = free_bytes - cupy.cuda.runtime.memGetInfo()[0]
