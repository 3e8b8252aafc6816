"""A worker: one process, one audio thread, nothing else in it.

Another Python thread in the same process would hold the interpreter lock for up to its
switch interval, whatever the priority of the audio thread.
"""

from __future__ import annotations

import os
import select
import time

import numpy as np
from numpy.typing import NDArray

from controller.executors.cpu.ring import Ring
from controller.executors.executor import InputBlocks
from controller.executors.shards.alarm import Alarm
from controller.executors.shards.ownership import Ownership
from controller.executors.shards.share import Share
from controller.executors.stream_table import StreamTable
from controller.executors.timetable import Timetable
from controller.workloads.workload import Workload


class Worker:
    """Renders its shards of each block, batch by batch, from the instant it is captured."""

    def __init__(
        self,
        number: int,
        workload: Workload,
        inputs: InputBlocks,
        table: StreamTable,
        ownership: Ownership,
        ring: Ring,
        timetable: Timetable,
        period_frames: int,
        slots: int,
        alarm: Alarm | None = None,
        call: Alarm | None = None,
    ) -> None:
        self._workload = workload
        self._inputs = inputs
        self._ring = ring
        self._timetable = timetable
        self._blocks = np.zeros((slots, period_frames), np.float32)
        self._ownership = ownership
        self._alarm = alarm
        self._call = call
        self._share = Share(number, table, ownership, self)
        self._ready_ns = 0

    def run(self) -> None:
        """Render every block from now on, as long as the parent lives."""
        parent = os.getppid()
        block = self._timetable.capturing(time.monotonic_ns())
        self._ring.open(block)
        while os.getppid() == parent:
            self._stand_by(block)
            _sleep_until(self._timetable.captured_ns(block))
            self.render(block)
            self._watch()
            block = self.next_playable(block + 1)
            self._ring.passed_by(block - 1)

    def render(self, block: int) -> None:
        """Render all batches of one block, and prepare the streams that are about to join."""
        self._share.render(block)

    def _stand_by(self, block: int) -> None:
        """While it has no streams, take over a shard when called, before the block is captured."""
        captured_ns = self._timetable.captured_ns(block)
        while self._call is not None and self._share.is_idle:
            left_s = (captured_ns - time.monotonic_ns()) / 1e9
            if left_s <= 0 or not select.select(self._call.descriptors(), [], [], left_s)[0]:
                return
            self._call.clear()
            self._share.change_over(block)

    def _watch(self) -> None:
        """Raise the alarm, while standing by, where others have not handed on what is due."""
        if self._alarm is None or not self._share.is_idle:
            return
        if self._ownership.is_behind(self._timetable.due(time.monotonic_ns())):
            self._alarm.raise_()

    def next_playable(self, block: int) -> int:
        """Blocks whose play-out has passed are not worth rendering: catch up instead."""
        return self._timetable.first_playable(block, time.monotonic_ns())

    # the states of streams, as their share asks

    @property
    def memory_blocks(self) -> int:
        """Past blocks after which a stream is as it would be."""
        return self._workload.memory_blocks

    def begin(self, slots: NDArray[np.intp]) -> None:
        """Forget the past of these streams."""
        self._workload.reset(slots)

    def end(self, slots: NDArray[np.intp]) -> None:
        """Keep the state of these streams: a slot has one for good."""

    def render_unheard(self, block: int, slots: NDArray[np.intp]) -> None:
        """Advance these streams by that block of their input."""
        self._inputs.gather(block, slots, self._blocks[: len(slots)])
        self._workload.process(self._blocks[: len(slots)], slots)

    def render_batches(
        self, block: int, shard: int, slots: NDArray[np.intp], batch_size: int
    ) -> None:
        """Render a block of a shard, and write its batches to the ring."""
        for first in range(0, len(slots), batch_size):
            self._render_batch(block, shard, first, slots[first : first + batch_size])

    def _render_batch(self, block: int, shard: int, first: int, slots: NDArray[np.intp]) -> None:
        bus = self._ring.bus()
        if bus is None:
            return
        start_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        inputs = self._blocks[: len(slots)]
        self._inputs.gather(block, slots, inputs)
        fetched_ns = time.monotonic_ns()
        bus[:] = self._workload.process(inputs, slots)
        computed_ns = time.monotonic_ns()
        used_ns = time.thread_time_ns() - cpu_ns
        captured_ns = self._timetable.captured_ns(block)
        ready_ns, self._ready_ns = max(self._ready_ns, captured_ns), time.monotonic_ns()
        stamps = (ready_ns, start_ns, fetched_ns, computed_ns, self._ready_ns)
        self._ring.write((block, shard, first, len(slots), captured_ns, *stamps, used_ns))


def _sleep_until(instant_ns: int) -> None:
    remaining_ns = instant_ns - time.monotonic_ns()
    if remaining_ns > 0:
        time.sleep(remaining_ns / 1e9)
