"""A device worker: one process, one thread, one device, which is opened in it alone."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from controller.executors.cpu.ring import Ring
from controller.executors.executor import InputBlocks
from controller.executors.gpu.batches.gpu_pipeline import GpuPipeline, Submitted
from controller.executors.gpu.board import Board
from controller.executors.gpu.upkeep import Upkeep
from controller.executors.shards.ownership import Ownership
from controller.executors.shards.share import Share
from controller.executors.stream_table import StreamTable
from controller.executors.timetable import Timetable
from controller.workloads.cuda.layout import UNUSED


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """A batch under way; `served` (n,) says which of its streams have a state."""

    submitted: Submitted
    first: int
    served: NDArray[np.bool_]
    start_ns: int


class GpuWorker:
    """Renders its shards of each block on a device, from the instant it is captured.

    `memory_blocks` is that of the workload.
    """

    def __init__(
        self,
        number: int,
        pipeline: GpuPipeline,
        memory_blocks: int,
        inputs: InputBlocks,
        table: StreamTable,
        ownership: Ownership,
        ring: Ring,
        timetable: Timetable,
        board: Board,
    ) -> None:
        self.memory_blocks = memory_blocks
        self._pipeline = pipeline
        self._inputs = inputs
        self._ring = ring
        self._timetable = timetable
        self._board = board
        self._upkeep = Upkeep(pipeline, board)
        self._share = Share(number, table, ownership, self)
        self._silence = np.zeros(2, np.float32)[:, None]
        self._skipped = 0
        self._finish_ns = 0

    def run(self) -> None:
        """Render every block from now on, as long as the parent lives."""
        parent = os.getppid()
        block = self._timetable.capturing(time.monotonic_ns())
        self._ring.open(block)
        while os.getppid() == parent:
            _sleep_until(self._timetable.captured_ns(block))
            self.render(block)
            block = self._skip_played(block + 1)
            self._ring.passed_by(block - 1)

    def render(self, block: int) -> None:
        """Render all batches of one block, prepare joining streams, and see to the memory."""
        self._board.count_up("beats")
        self._share.render(block)
        if self._upkeep.between_blocks():
            self._house(block)

    # the states of streams, as their share asks

    def begin(self, slots: NDArray[np.intp]) -> None:
        """Give these streams a state that knows no past."""
        self._pipeline.begin(slots)

    def end(self, slots: NDArray[np.intp]) -> None:
        """Let go of the states of these streams."""
        self._pipeline.end(slots)

    def render_unheard(self, block: int, slots: NDArray[np.intp]) -> None:
        """Advance the states of these streams by that block of their input."""
        self._pipeline.collect(self._submitted(block, slots))

    def render_batches(
        self, block: int, shard: int, slots: NDArray[np.intp], batch_size: int
    ) -> None:
        """Render a block of a shard, one batch copied while another is computed."""
        under_way: deque[_Batch] = deque()
        for first in range(0, len(slots), batch_size):
            if not self._pipeline.has_room:
                self._hand_on(block, shard, under_way.popleft())
            under_way.append(self._submit(block, first, slots[first : first + batch_size]))
        while under_way:
            self._hand_on(block, shard, under_way.popleft())

    def next_playable(self, block: int) -> int:
        """This block, or the first after it that is still to be played."""
        return self._timetable.first_playable(block, time.monotonic_ns())

    def _submit(self, block: int, first: int, slots: NDArray[np.intp]) -> _Batch:
        start_ns = time.monotonic_ns()
        served = self._pipeline.memory.offsets[slots] != UNUSED
        return _Batch(self._submitted(block, slots), first, served, start_ns)

    def _submitted(self, block: int, slots: NDArray[np.intp]) -> Submitted:
        self._board.count_up("beats")
        gather = partial(self._gather, block, slots)
        return self._pipeline.submit(block - self._skipped, slots, gather)

    def _gather(
        self, block: int, slots: NDArray[np.intp], first: int, last: int, out: NDArray[np.float32]
    ) -> None:
        self._inputs.gather(block, slots[first:last], out)

    def _hand_on(self, block: int, shard: int, batch: _Batch) -> None:
        """Write a finished batch to the ring; a full ring drops it.

        Streams without a state were not rendered: what lies between them are records of their own,
        the first of which has the sound of all.
        """
        cpu_ns = time.thread_time_ns()
        rendered = self._pipeline.collect(batch.submitted)
        self._upkeep.count(rendered)
        captured_ns, before_ns = self._timetable.captured_ns(block), self._finish_ns
        self._finish_ns = finish_ns = time.monotonic_ns()
        out_ns, in_compute_ns = rendered.transfer_out_ms * 1e6, rendered.compute_ms * 1e6
        computed_ns = max(batch.start_ns, finish_ns - int(out_ns))
        fetched_ns = max(batch.start_ns, computed_ns - int(in_compute_ns))
        ready_ns = min(batch.start_ns, max(captured_ns, before_ns))
        stamps = (captured_ns, ready_ns, batch.start_ns, fetched_ns, computed_ns, finish_ns)
        sound = rendered.bus
        for first, count in runs(batch.served):
            if (bus := self._ring.bus()) is not None:
                bus[:] = sound
                used_ns = time.thread_time_ns() - cpu_ns
                self._ring.write((block, shard, batch.first + first, count, *stamps, used_ns))
            sound, cpu_ns = self._silence, time.thread_time_ns()

    def _house(self, block: int) -> None:
        """Try again to find room for streams that had none, and have them know their past."""
        waiting = np.array(sorted(self._pipeline.memory.homeless), np.intp)
        self._pipeline.begin(waiting)
        housed = waiting[self._pipeline.memory.offsets[waiting] != UNUSED]
        for first in range(0, len(housed), self._share.batch_size):
            slots = housed[first : first + self._share.batch_size]
            for earlier in range(max(0, block + 1 - self.memory_blocks), block + 1):
                self.render_unheard(earlier, slots)

    def _skip_played(self, wanted: int) -> int:
        """The next block that can be played; joining streams begin again after a gap."""
        block = self.next_playable(wanted)
        if block > wanted:
            self._skipped += block - wanted
            self._share.restart_warm_up()
        return block


def runs(served: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and count of each run of rows that were served."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], served, [False])).astype(np.int8)))
    return [(int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _sleep_until(instant_ns: int) -> None:
    remaining_ns = instant_ns - time.monotonic_ns()
    if remaining_ns > 0:
        time.sleep(remaining_ns / 1e9)
