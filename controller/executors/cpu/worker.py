"""A worker: one process, one audio thread, nothing else in it.

Another Python thread in the same process would hold the interpreter lock for up to its
switch interval, whatever the priority of the audio thread.
"""

from __future__ import annotations

import os
import time

import numpy as np
from numpy.typing import NDArray

from controller.executors.cpu.ring import Ring
from controller.executors.executor import InputBlocks
from controller.executors.stream_table import Assignment, StreamTable
from controller.executors.timetable import Timetable
from controller.workloads.workload import Workload


class Worker:
    """Renders its share of each block, batch by batch, from the instant it is captured."""

    def __init__(
        self,
        number: int,
        workload: Workload,
        inputs: InputBlocks,
        table: StreamTable,
        ring: Ring,
        timetable: Timetable,
        period_frames: int,
        slots: int,
    ) -> None:
        self._number = number
        self._workload = workload
        self._inputs = inputs
        self._table = table
        self._ring = ring
        self._timetable = timetable
        self._blocks = np.zeros((slots, period_frames), np.float32)
        self._now = table.latest()
        self._next: Assignment | None = None
        self._slots = self._now.slots_of(number)
        self._joining = self._slots[:0]
        self._warm_from = 0
        self._captured_ns = 0
        self._ready_ns = 0

    def run(self) -> None:
        """Render every block from now on, as long as the parent lives."""
        parent = os.getppid()
        block = self._timetable.capturing(time.monotonic_ns())
        self._ring.open()
        while os.getppid() == parent:
            _sleep_until(self._timetable.captured_ns(block))
            self.render(block)
            block = self.next_playable(block + 1)

    def render(self, block: int) -> None:
        """Render all batches of one block, then prepare the streams that are about to join."""
        self._change_over(block)
        self._captured_ns = self._timetable.captured_ns(block)
        self._ready_ns = max(self._ready_ns, self._captured_ns)
        size = self._now.batch_size
        for first in range(0, len(self._slots), size):
            self._render_batch(block, first, self._slots[first : first + size])
        self._warm_up(block)

    def next_playable(self, block: int) -> int:
        """Blocks whose play-out has passed are not worth rendering: catch up instead."""
        now_ns = time.monotonic_ns()
        while self._timetable.played_ns(block) <= now_ns:
            block += 1
        return block

    def _render_batch(self, block: int, first: int, slots: NDArray[np.intp]) -> None:
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
        ready_ns, self._ready_ns = self._ready_ns, time.monotonic_ns()
        stamps = (
            self._captured_ns,
            ready_ns,
            start_ns,
            fetched_ns,
            computed_ns,
            self._ready_ns,
            used_ns,
        )
        self._ring.write((block, first, len(slots), *stamps))

    def _change_over(self, block: int) -> None:
        """Take note of a new assignment; adopt it at the block it names."""
        if self._next is None and self._table.version != self._now.version:
            self._next = self._table.latest()
            mine = self._next.slots_of(self._number)
            self._joining = np.setdiff1d(mine, self._slots)
            self._workload.reset(self._joining)
            self._warm_from = self._next.from_block - self._workload.memory_blocks
        if self._next is not None and block >= self._next.from_block:
            self._warm_up(self._next.from_block - 1)
            self._now, self._next = self._next, None
            self._slots = self._now.slots_of(self._number)
            self._joining = self._slots[:0]

    def _warm_up(self, block: int) -> None:
        """Render joining streams unheard, so that they sound as if they had always been here."""
        if self._next is None or not len(self._joining):
            return
        last = min(block, self._next.from_block - 1)
        for earlier in range(max(0, self._warm_from), last + 1):
            size = self._now.batch_size
            for first in range(0, len(self._joining), size):
                slots = self._joining[first : first + size]
                self._inputs.gather(earlier, slots, self._blocks[: len(slots)])
                self._workload.process(self._blocks[: len(slots)], slots)
        self._warm_from = max(self._warm_from, last + 1)


def _sleep_until(instant_ns: int) -> None:
    remaining_ns = instant_ns - time.monotonic_ns()
    if remaining_ns > 0:
        time.sleep(remaining_ns / 1e9)
