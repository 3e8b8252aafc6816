"""Allocation traces: the arena beside CuPy's pools, by how long an allocation waits."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic

import numpy as np

from controller.errors import DeviceMemoryError
from controller.executors.gpu.cupy_allocations import Allocations, counted
from controller.executors.vram.traces import AllocationTrace, Allocator, Held, replay
from controller.executors.vram.usage import Usage
from kapellmeister.bench.hardware.churn import churn
from kapellmeister.bench.hardware.experiment import NEEDS_CUDA, Experiment, Found
from kapellmeister.bench.hardware.figures import Absent, Goal, Measured, Planned
from kapellmeister.bench.hardware.rig import Rig
from kapellmeister.bench.spread import Spread

FULL_BYTES, SMALL_BYTES = 256 << 20, 32 << 20
"""Bytes that are shared out, on a device and on an emulated one."""
ROUNDS = 3
OURS, POOL, ASYNC = "the arena", "CuPy's pool under a limit", "CuPy's asynchronous pool"
Figures = dict[str, float]
"""Figures of one round by their name."""
QUANTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
GOALS_US = {"p99": 10.0, "p999": 50.0}
RATIO = f"p999 of an allocation, {POOL} / {OURS}"
REFUSED = "allocations refused"
DEVICE = "allocations of the device after warm-up"


def allocations() -> Experiment:
    """Quantiles of an allocation, and how often the device itself had to be asked."""
    goals = {
        figure: Goal(limit, is_most=True, is_of_gpu=False) for figure, limit in GOALS_US.items()
    }
    rows = [Planned(RATIO, "times", Goal(10.0))]
    for who in (OURS, POOL, ASYNC):
        held = goals if who == OURS else {}
        rows += [Planned(_name(who, each), "us", held.get(each)) for each in QUANTILES]
        none = Goal(0.0, is_most=True) if who == OURS else None
        rows += [Planned(_name(who, REFUSED), ""), Planned(_name(who, DEVICE), "", none)]
    return Experiment("allocations", tuple(rows), 1.5, _allocations, least_s=0.5)


def _allocations(rig: Rig, seconds: float) -> Found:
    del seconds
    size_bytes = FULL_BYTES if rig.is_cuda else SMALL_BYTES
    trace = churn(size_bytes)
    found: dict[str, list[Figures]] = {}
    with rig.arena(size_bytes) as (_, manager):
        found[OURS] = _played(rig, trace, manager)
    yield from _told(OURS, found[OURS])
    if not rig.is_cuda:
        absent = [each.name for each in allocations().rows if not each.name.startswith(OURS)]
        yield from (Absent(name, NEEDS_CUDA) for name in absent)
        return
    for who, make in ((POOL, _pool), (ASYNC, _async_pool)):
        found[who] = _played(rig, trace, make(size_bytes))
        yield from _told(who, found[who])
    pairs = zip(found[POOL], found[OURS], strict=True)
    yield Measured(RATIO, Spread.of([theirs["p999"] / ours["p999"] for theirs, ours in pairs]))


def _told(who: str, rounds: list[Figures]) -> Found:
    for figure in rounds[0]:
        yield Measured(_name(who, figure), Spread.of([each[figure] for each in rounds]))


def _played(rig: Rig, trace: AllocationTrace, allocator: Allocator[Held]) -> list[Figures]:
    """Play the trace once to warm up, and then in rounds that count."""
    replay(trace, allocator)
    return [_round(rig, trace, Timed(allocator)) for _ in range(ROUNDS)]


def _round(rig: Rig, trace: AllocationTrace, timed: Timed[Held]) -> Figures:
    with _counted(rig) as device:
        refused = replay(trace, timed)
    times = {name: float(np.quantile(timed.times_us, each)) for name, each in QUANTILES.items()}
    return {**times, REFUSED: float(len(refused)), DEVICE: float(device.of_device)}


@contextmanager
def _counted(rig: Rig) -> Iterator[Allocations]:
    """What is allocated of the device; nothing is where none is."""
    if not rig.is_cuda:
        yield Allocations()
        return
    with counted(importlib.import_module("cupy")) as counts:
        yield counts


class Timed(Generic[Held]):
    """An allocator whose allocations are timed, those that are refused too."""

    def __init__(self, allocator: Allocator[Held]) -> None:
        self._allocator = allocator
        self.times_us: list[float] = []

    def allocate(self, size_bytes: int, usage: Usage, owner: str) -> Held:
        """As the allocator does."""
        begun_ns = time.perf_counter_ns()
        try:
            return self._allocator.allocate(size_bytes, usage, owner)
        finally:
            self.times_us.append((time.perf_counter_ns() - begun_ns) / 1e3)

    def free(self, handle: Held) -> None:
        """As the allocator does."""
        self._allocator.free(handle)


class Pool:
    """A pool of CuPy's as an allocator; what is no longer held is free."""

    def __init__(self, pool: Any, out_of_memory: type[Exception]) -> None:
        self._pool = pool
        self._out_of_memory = out_of_memory

    def allocate(self, size_bytes: int, usage: Usage, owner: str) -> Any:
        """Bytes for an owner. Raises DeviceMemoryError where the pool has no room."""
        try:
            return self._pool.malloc(size_bytes)
        except self._out_of_memory as error:
            free_bytes = self._pool.free_bytes()
            who = f"{owner} ({usage})"
            raise DeviceMemoryError(who, size_bytes, "full", free_bytes, free_bytes) from error

    def free(self, handle: Any) -> None:
        """Give them back, since the caller holds them no longer either."""
        del handle


def _pool(size_bytes: int) -> Pool:
    cupy = importlib.import_module("cupy")
    pool = cupy.cuda.MemoryPool()
    pool.set_limit(size=size_bytes)
    return Pool(pool, cupy.cuda.memory.OutOfMemoryError)


def _async_pool(size_bytes: int) -> Pool:
    cupy = importlib.import_module("cupy")
    pool = cupy.cuda.MemoryAsyncPool()
    pool.set_limit(size=size_bytes)
    return Pool(pool, cupy.cuda.memory.OutOfMemoryError)


def _name(who: str, figure: str) -> str:
    return f"{who}: {figure}"
