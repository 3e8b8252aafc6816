"""Processors as a competent user has them: our loops compiled by numba, at their best batch."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import numpy as np

from controller.errors import ExecutorError
from controller.workloads.backends import numpy_backend
from kapellmeister.bench.hardware.rig import noise
from kapellmeister.bench.hardware.timing import back_to_back, in_rounds
from kapellmeister.bench.hardware.workloads import on_arrays, settings_of
from kapellmeister.bench.spread import Spread

BATCHES = (32, 64, 128, 256, 512, 4096)
PATIENCE_S = 60.0
"""Seconds that processes on the other cores may take to be ready."""


@dataclass(frozen=True, slots=True)
class Job:
    """Blocks of so many streams of a workload, in batches of that size."""

    title: str
    streams: int
    taps: int
    batch: int = 0

    def render(self) -> Callable[[], None]:
        """What renders one block of all streams."""
        settings = settings_of(self.title, self.streams, self.taps)
        workload = on_arrays(self.title, settings, numpy_backend())
        sound, slots = noise(self.streams), np.arange(self.streams, dtype=np.intp)
        size = self.batch or self.streams
        parts = [slice(first, first + size) for first in range(0, self.streams, size)]

        def block() -> None:
            for part in parts:
                workload.process(sound[part], slots[part])

        return block


def best_batch(job: Job, seconds: float) -> tuple[int, Spread]:
    """The batch at which one core renders a block soonest, and its milliseconds."""
    sizes = sorted({min(size, job.streams) for size in BATCHES})
    blocks = {str(size): back_to_back(replace(job, batch=size).render()) for size in sizes}
    found = in_rounds(blocks, seconds, rounds=3)
    best = min(found, key=lambda size: found[size].spread.median)
    return int(best), found[best].spread


def all_cores_ms(job: Job, calls: int) -> tuple[int, Spread]:
    """How many cores there are, and milliseconds of a block that is shared out over all of them.

    They begin each block together. Raises ExecutorError where a process does not render.
    """
    cores = min(len(os.sched_getaffinity(0)), job.streams)
    shares = [replace(job, streams=len(each)) for each in np.array_split(range(job.streams), cores)]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(cores)
    links = [context.Pipe(duplex=False) for _ in shares]
    processes = [
        context.Process(target=_render, args=(share, calls, barrier, telling), daemon=True)
        for share, (_, telling) in zip(shares, links, strict=True)
    ]
    try:
        for process in processes:
            process.start()
        times_ms = [_told(listening) for listening, _ in links]
    finally:
        for process in processes:
            process.kill()
            process.join()
    slowest = np.max(times_ms, axis=0)
    return cores, Spread.of([float(np.median(each)) for each in np.array_split(slowest, 3)])


def _render(share: Job, calls: int, barrier: Barrier, telling: Connection) -> None:
    """What each process does: blocks of its share, each begun when all are there."""
    block = share.render()
    block()
    times_ms = []
    for _ in range(calls):
        barrier.wait(PATIENCE_S)
        begun_s = time.perf_counter()
        block()
        times_ms.append(1000.0 * (time.perf_counter() - begun_s))
    telling.send(times_ms)


def _told(listening: Connection) -> list[float]:
    if not listening.poll(PATIENCE_S):
        raise ExecutorError("cpu", "a process on another core does not render", "run it again")
    told: list[float] = listening.recv()
    return told
