"""What a device worker sees to between blocks: block size, defragmentation, its figures."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from controller.executors.gpu.batches.gpu_pipeline import GpuPipeline, Rendered
from controller.executors.gpu.board import Board
from controller.executors.vram.usage import Usage
from policies.observation import fresh

LATEST = 512
"""Batches whose stage times are remembered."""
EVERY = 16
"""Blocks from one account of the memory to the next."""
STAGES = ("transfer_in_ms", "compute_ms", "transfer_out_ms")


class Upkeep:
    """Serves one pipeline; called between blocks, when nothing is under way on the device."""

    def __init__(self, pipeline: GpuPipeline, board: Board) -> None:
        self._pipeline = pipeline
        self._board = board
        self._latest: deque[tuple[float, float, float]] = deque(maxlen=LATEST)
        self._blocks = 0
        self._transfer_ms = self._busy_ms = 0.0
        self.between_blocks()

    def count(self, rendered: Rendered) -> None:
        """Note the stages of a finished batch."""
        stages = rendered.transfer_in_ms, rendered.compute_ms, rendered.transfer_out_ms
        self._latest.append(stages)
        self._busy_ms += sum(stages)
        self._transfer_ms += rendered.transfer_in_ms + rendered.transfer_out_ms

    def between_blocks(self) -> bool:
        """Take the block size that is wanted, and now and then make order and tell how it is.

        Whether it is time to look for room for streams that have none.
        """
        memory = self._pipeline.memory
        memory.resize_blocks(self._board.count("block_bytes_wanted"))
        self._blocks += 1
        if self._blocks % EVERY != 1:
            return False
        memory.make_order()
        self._tell()
        return bool(memory.homeless)

    def _tell(self) -> None:
        self._tell_memory()
        pipeline = self._pipeline
        times = np.percentile(self._latest, 99, axis=0) if self._latest else (math.nan,) * 3
        self._board.write(
            batches=pipeline.replays,
            in_bytes=pipeline.copied_in_bytes,
            out_bytes=pipeline.copied_out_bytes,
            launches=pipeline.launches,
            transfer_ns=int(1e6 * self._transfer_ms),
            busy_ns=int(1e6 * self._busy_ms),
            **dict(zip(STAGES, map(float, times), strict=True)),
        )

    def _tell_memory(self) -> None:
        memory = self._pipeline.memory
        account = memory.account()
        fragmentation = fresh(account.internal_fragmentation)
        held = {f"owner_{usage}_bytes": account.by_usage.get(usage, 0) for usage in Usage}
        self._board.write(
            block_bytes=memory.block_bytes,
            capacity=memory.capacity,
            homeless=len(memory.homeless),
            arena_bytes=account.total_bytes,
            used_bytes=account.used_bytes,
            largest_free_bytes=account.largest_free_bytes,
            failures_full=account.failures_full,
            failures_fragmented=account.failures_fragmented,
            defragmented_bytes=account.defragmented_bytes,
            defragmentation_ns=int(1e9 * account.defragmentation_s),
            defragmentation_passes=account.passes,
            fragmentation_share=math.nan if fragmentation is None else fragmentation,
            allocation_wait_us=memory.allocation_p99_us(),
            cache_hits=memory.cache_hits,
            cache_lookups=memory.cache_lookups,
            slab_hits=account.slab_hits,
            allocations=account.allocations,
            **held,
        )
