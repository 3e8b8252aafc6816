"""An executor with a device of stated law, in time that passes at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import cast

import numpy as np

from controller.executors.executor import ExecutorSettings
from controller.executors.null import NullExecutor
from controller.executors.stream_table import Assignment
from policies.knobs import Bounds, Choice, Knob
from policies.observation import Missing, Reading, Value

INPUT_BYTES = 1024
OVERHEAD_MS, BYTES_PER_MS = 0.02, 1.0e6
FIXED_MS, STREAM_MS = 0.2, 0.01
STATE_BYTES, MEMORY_BYTES, WORKSPACE_BYTES = 17_664, 1 << 30, 1 << 20


class VirtualTime:
    """Passes at once."""

    def __init__(self) -> None:
        self.time_ns = 0

    def now_ns(self) -> int:
        return self.time_ns

    def pass_s(self, seconds: float) -> None:
        self.time_ns += int(seconds * 1e9)


class VirtualDevice(NullExecutor):
    """Copies a batch in pieces, then computes it for a time that varies by a tenth.

    The next batch is copied while one is computed, unless `overlaps` is False.
    """

    name = "virtual-device"
    overlaps = False
    told: tuple[str, ...] = (
        "arena_bytes",
        "owner_audio_bytes",
        "owner_workspace_bytes",
        "streams",
    )

    def __init__(self, settings: ExecutorSettings, clock: VirtualTime) -> None:
        super().__init__(settings, now_ns=clock.now_ns)
        self._values |= {"vram_block_bytes": 1 << 16}
        self._generator = np.random.default_rng(1)
        self._copied_ns = 0

    def knobs(self) -> Mapping[str, Knob]:
        return {
            "batch_size": Knob("batch_size", Choice(tuple(1 << k for k in range(3, 13))), "gpu"),
            "nodes": Knob("nodes", Bounds(1, 1), "gpu"),
            "vram_block_bytes": Knob(
                "vram_block_bytes", Choice(tuple(1 << k for k in range(14, 23))), "memory"
            ),
        }

    def readings(self) -> Mapping[str, Reading]:
        streams = int(self.table.latest().live.sum())
        figures = {
            "arena_bytes": MEMORY_BYTES + WORKSPACE_BYTES,
            "owner_workspace_bytes": WORKSPACE_BYTES,
            "owner_audio_bytes": streams * STATE_BYTES,
            "streams": streams,
        }
        return MappingProxyType(
            {
                f"gpu.{name}": Value(float(each)) if name in self.told else Missing("not known")
                for name, each in figures.items()
            }
        )

    def _batches(
        self, worker: int, block: int, assignment: Assignment, captured_ns: int
    ) -> Iterator[tuple[int, ...]]:
        share, size = len(assignment.slots_of(worker)), assignment.batch_size
        for first in range(0, share, size):
            count, free_ns = min(size, share - first), self._busy_until_ns.get(worker, 0)
            ready_ns = max(captured_ns, free_ns)
            start_ns = max(captured_ns, self._copied_ns) if self.overlaps else ready_ns
            fetched_ns = self._copied_ns = start_ns + round(1e6 * self._copy_ms(count))
            begun_ns = max(fetched_ns, free_ns)
            computed_ns = begun_ns + round(1e6 * self._compute_ms(count))
            self._busy_until_ns[worker] = computed_ns
            stamps = (captured_ns, ready_ns, start_ns, fetched_ns, computed_ns, computed_ns)
            yield (block, worker, first, count, *stamps, computed_ns - start_ns)

    def _copy_ms(self, count: int) -> float:
        pieces = math.ceil(count * INPUT_BYTES / cast(int, self._values["vram_block_bytes"]))
        return pieces * OVERHEAD_MS + count * INPUT_BYTES / BYTES_PER_MS

    def _compute_ms(self, count: int) -> float:
        return (FIXED_MS + count * STREAM_MS) * self._generator.uniform(0.9, 1.1)
