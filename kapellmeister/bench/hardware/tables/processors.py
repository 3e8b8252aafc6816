"""Processors as a competent user has them: our loops compiled by numba, at their best batch."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass, replace
from functools import partial
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
    """Blocks of so many streams of a workload."""

    title: str
    streams: int
    taps: int


class Renderer:
    """A job on this core; `block` renders all streams, in batches of a size."""

    def __init__(self, job: Job) -> None:
        settings = settings_of(job.title, job.streams, job.taps)
        self._workload = on_arrays(job.title, settings, numpy_backend())
        self._sound = noise(job.streams)
        self._slots = np.arange(job.streams, dtype=np.intp)

    def block(self, batch: int) -> None:
        """One block of all streams."""
        for first in range(0, len(self._slots), batch):
            part = slice(first, first + batch)
            self._workload.process(self._sound[part], self._slots[part])


def best_batch(job: Job, seconds: float) -> tuple[int, Spread]:
    """The batch at which one core renders a block soonest, and its milliseconds."""
    sizes = sorted({min(size, job.streams) for size in BATCHES})
    renderer = Renderer(job)
    blocks = {str(size): back_to_back(partial(renderer.block, size)) for size in sizes}
    found = in_rounds(blocks, seconds, rounds=3)
    best = min(found, key=lambda size: found[size].spread.median)
    return int(best), found[best].spread


def all_cores_ms(job: Job, batch: int, calls: int) -> Spread:
    """Milliseconds of a block that is shared out over all cores.

    They begin each block together. Raises ExecutorError where a process does not render.
    """
    cores = min(len(os.sched_getaffinity(0)), job.streams)
    shares = [replace(job, streams=len(each)) for each in np.array_split(range(job.streams), cores)]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(cores)
    links = [context.Pipe(duplex=False) for _ in shares]
    processes = [
        context.Process(target=_render, args=(share, batch, calls, barrier, telling), daemon=True)
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
    return Spread.of([float(np.median(each)) for each in np.array_split(slowest, 3)])


def _render(share: Job, batch: int, calls: int, barrier: Barrier, telling: Connection) -> None:
    """What each process does: blocks of its share, each begun when all are there."""
    block = partial(Renderer(share).block, batch)
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
