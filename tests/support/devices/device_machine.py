"""A device in numbers: batches that are copied in pieces, states in blocks of an arena."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

from fakes import FakePlant, quantiles

from controller.clock import Clock
from policies.knobs import Choice, Knob, KnobValue
from policies.observation import BlockCounts, Observation, StageTimes, Value

PERIOD_MS = 5.0
BLOCKS_PER_S = 200
INPUT_BYTES = 1024
BATCH_SIZES = tuple(1 << k for k in range(3, 13))
VRAM_BLOCK_BYTES = tuple(1 << k for k in range(14, 23))


class DeviceMachine(FakePlant):
    """One device; what does not fit its time or its arena is missed.

    A batch takes `copy_ms` for each piece of `vram_block_bytes` and `call_ms` to be computed, and
    each stream `stream_ms`. A state of `state_bytes` has a block of its own, of `arena_bytes` in
    all; `unlike` makes a setting worse than that: it misses that share of the blocks.
    """

    def __init__(self, clock: Clock, **figures: float) -> None:
        super().__init__(clock)
        self.streams = int(figures.get("streams", 1000))
        self.copy_ms = figures.get("copy_ms", 0.01)
        self.call_ms = figures.get("call_ms", 0.1)
        self.stream_ms = figures.get("stream_ms", 0.001)
        self.state_bytes = int(figures.get("state_bytes", 16_000))
        self.arena_bytes = int(figures.get("arena_bytes", 1 << 30))
        self.unlike: dict[tuple[str, KnobValue], float] = {}
        self.load = Value(float(self.streams))
        self.values = {
            "batch_size": int(figures.get("batch_size", 256)),
            "vram_block_bytes": int(figures.get("vram_block_bytes", 1 << 17)),
        }
        self.knobs_here = {
            "batch_size": Knob("batch_size", Choice(BATCH_SIZES), "gpu", settle_s=2.0),
            "vram_block_bytes": Knob(
                "vram_block_bytes", Choice(VRAM_BLOCK_BYTES), "memory", settle_s=2.0
            ),
        }

    @property
    def block_bytes(self) -> int:
        return cast(int, self.values["vram_block_bytes"])

    @property
    def fitting(self) -> int:
        """Streams whose state finds room."""
        return min(self.streams, self.arena_bytes // max(self.block_bytes, self.state_bytes))

    @property
    def batch_size(self) -> int:
        return cast(int, self.values["batch_size"])

    def device_ms(self) -> tuple[int, float, float]:
        """Batches of a block, and how long each is copied and computed."""
        calls = max(1, math.ceil(self.fitting / self.batch_size))
        streams = self.fitting / calls
        copies = math.ceil(streams * INPUT_BYTES / self.block_bytes)
        return calls, copies * self.copy_ms, self.call_ms + streams * self.stream_ms

    def observe(self) -> Observation:
        seen = super().observe()
        calls, copy_ms, compute_ms = self.device_ms()
        block_ms = copy_ms + (calls - 1) * max(copy_ms, compute_ms) + compute_ms
        late = max(0.0, 1.0 - PERIOD_MS / block_ms)
        late = max([late, *(self.unlike.get(each, 0.0) for each in self.values.items())])
        blocks = BLOCKS_PER_S * self.streams
        on_time = round(BLOCKS_PER_S * self.fitting * (1.0 - late))
        used = self.fitting * max(self.block_bytes, self.state_bytes)
        readings = {
            "audio.period_ms": PERIOD_MS,
            "audio.utilisation": 0.1,
            "gpu.busy_share": min(1.0, calls * max(copy_ms, compute_ms) / PERIOD_MS),
            "gpu.transfer_share": copy_ms / (copy_ms + compute_ms),
            "gpu.transfer_in_ms": copy_ms,
            "gpu.compute_ms": compute_ms,
            "gpu.in_bytes_per_s": float(BLOCKS_PER_S * self.fitting * INPUT_BYTES),
            "gpu.replays_per_s": float(BLOCKS_PER_S * calls),
            "gpu.arena_bytes": float(self.arena_bytes),
            "gpu.arena_used_bytes": float(used),
            "gpu.arena_largest_free_bytes": float(self.arena_bytes - used),
            "gpu.fragmentation_share": max(0.0, 1.0 - self.fitting * self.state_bytes / used),
            "gpu.streams": float(self.fitting),
            "gpu.streams_on_cpu": 0.0,
            "gpu.streams_yielded": float(self.streams - self.fitting),
            "gpu.allocations_full_per_s": 0.0,
            "gpu.allocations_fragmented_per_s": 0.0,
        }
        return replace(
            seen,
            blocks=BlockCounts(on_time=on_time, late=blocks - on_time),
            latency=quantiles(block_ms),
            stages={
                "transfer_in": StageTimes(quantiles(0.0), quantiles(copy_ms)),
                "compute": StageTimes(quantiles(0.0), quantiles(compute_ms)),
            },
            readings={name: Value(each) for name, each in readings.items()},
        )
