"""The executor's own worker in virtual time: its every line but the clock and the kernel.

The clock moves when the worker sleeps, wakes late, or computes for as long as a law says.
What it stamps is what it would stamp live, so that a twin can be held against it without a
machine's noise between the two.
"""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from controller.executors.batch import BATCH
from controller.executors.cpu import worker as module
from controller.executors.cpu.ring import Ring
from controller.executors.cpu.worker import Worker
from controller.executors.shards.ownership import Ownership
from controller.executors.stream_table import StreamTable
from controller.executors.timetable import Timetable
from controller.workloads.workload import WorkloadSettings
from policies.latency import Calibration
from simulators.calibration.calibration import NS_IN_MS, OperatingPoint

FRAMES = 4
NODE = SHARD = 1


class _Clock:
    """Nanoseconds that pass only when something takes them."""

    def __init__(self) -> None:
        self.now_ns = 0

    def monotonic_ns(self) -> int:
        """The time."""
        return self.now_ns

    def thread_time_ns(self) -> int:
        """The time: all of it is the thread's own."""
        return self.now_ns


class _Kernel:
    """A workload that takes the time that a law gives it, and renders silence."""

    memory_blocks = 0
    name = "virtual"

    def __init__(self, clock: _Clock, calibration: Calibration, seed: int) -> None:
        self._clock = clock
        self._compute = calibration.compute
        self._residuals = np.asarray(calibration.compute.residuals.quiet)
        self._generator = np.random.default_rng(seed)
        self.settings: WorkloadSettings | None = None

    def reset(self, slots: NDArray[np.intp]) -> None:
        """Do nothing: the kernel remembers no stream."""

    def process(self, blocks: NDArray[np.float32], slots: NDArray[np.intp]) -> NDArray[np.float32]:
        """Take as long as a batch of this size does."""
        mean_ms = self._compute.fixed_ms + len(slots) * self._compute.per_stream_ms
        took_ms = mean_ms * self._generator.choice(self._residuals)
        self._clock.now_ns += round(took_ms * NS_IN_MS)
        return np.zeros((2, blocks.shape[1]), np.float32)


class _Silence:
    """Input that costs nothing."""

    def gather(self, block_index: int, slots: NDArray[np.intp], out: NDArray[np.float32]) -> None:
        """Leave the buffer as it is."""


def play(
    calibration: Calibration, streams: int, batch_size: int, blocks: int, seed: int
) -> OperatingPoint:
    """Play so many blocks of a worker whose kernel and whose waking follow the calibration."""
    clock = _Clock()
    generator = np.random.default_rng((seed, 1))
    waking_ns = np.asarray(calibration.compute.lateness_ms.quiet) * NS_IN_MS
    period_ns = calibration.period_ms * NS_IN_MS
    timetable = Timetable(0, period_ns, round(period_ns), round(period_ns))
    table = StreamTable(streams, batch_size)
    table.publish(0, batch_size, np.full(streams, SHARD, np.int16))
    ownership = Ownership(SHARD)
    ownership.begin(SHARD, NODE, 0)
    ring = Ring(-(-streams // batch_size) + 1, FRAMES)
    kernel = _Kernel(clock, calibration, seed)
    given = kernel, _Silence(), table, ownership, ring, timetable
    worker = Worker(NODE, *given, FRAMES, streams)
    finished = []
    block = 0
    with patch.object(module, "time", SimpleNamespace(**_functions(clock))):
        while block < blocks:
            captured_ns = timetable.captured_ns(block)
            if clock.now_ns <= captured_ns:
                clock.now_ns = captured_ns + round(float(generator.choice(waking_ns)))
            worker.render(block)
            finished.append(ring.read()[0])
            block = worker.next_playable(block + 1)
    return OperatingPoint(streams, batch_size, blocks, np.concatenate(finished).astype(BATCH))


def _functions(clock: _Clock) -> dict[str, object]:
    return {"monotonic_ns": clock.monotonic_ns, "thread_time_ns": clock.thread_time_ns}
