"""An allocator with a stopwatch, which also counts what was refused, and why."""

from __future__ import annotations

import gc
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np

from controller.errors import DeviceMemoryError
from controller.executors.vram.traces import Allocator
from controller.executors.vram.usage import Usage

Held = TypeVar("Held")


class Timed(Generic[Held]):
    """Nanoseconds of each call of an allocator, by that clock."""

    def __init__(
        self, allocator: Allocator[Held], now_ns: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._allocator = allocator
        self._now_ns = now_ns
        self.allocate_ns, self.free_ns = array("q"), array("q")
        self.refused: Counter[str] = Counter()

    def allocate(self, size_bytes: int, usage: Usage, owner: str) -> Held:
        """Allocate as the allocator does, timed."""
        started_ns = self._now_ns()
        try:
            return self._allocator.allocate(size_bytes, usage, owner)
        except DeviceMemoryError as error:
            self.refused[error.reason] += 1
            raise
        finally:
            self.allocate_ns.append(self._now_ns() - started_ns)

    def free(self, handle: Held) -> None:
        """Free as the allocator does, timed."""
        started_ns = self._now_ns()
        self._allocator.free(handle)
        self.free_ns.append(self._now_ns() - started_ns)

    @property
    def refused_share(self) -> float:
        """Share of allocations that were refused although as many bytes were free."""
        return self.refused["fragmented"] / len(self.allocate_ns)


def quantiles_us(taken_ns: Sequence[int]) -> tuple[float, float, float, float]:
    """The p50, p99, p999 and the longest, microseconds."""
    p50, p99, p999, longest = np.quantile(taken_ns, (0.5, 0.99, 0.999, 1.0)) / 1000.0
    return float(p50), float(p99), float(p999), float(longest)


@contextmanager
def without_collector() -> Iterator[None]:
    """No garbage collection meanwhile, as in a worker that renders sound."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
