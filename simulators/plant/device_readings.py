"""The readings of a simulated device, by the names under which a real one reports them."""

from __future__ import annotations

import math

from policies.latency import Transfer
from policies.observation import Reading, Value
from simulators.levels.device_memory import DeviceMemory
from simulators.levels.pieces import Pieces


def device_memory_readings(memory: DeviceMemory, streams: int, nodes: int) -> dict[str, Reading]:
    """The arena of the fullest of `nodes`, and how many of all `streams` have no room on any."""
    placed = min(streams, memory.fitting * nodes)
    figures = {
        "memory_used_bytes": memory.used_bytes,
        "fragmentation_share": memory.fragmentation,
        "allocation_wait_us": memory.reservation_us() * streams,
        "arena_bytes": memory.total_bytes,
        "arena_used_bytes": memory.used_bytes,
        "arena_largest_free_bytes": memory.total_bytes - memory.used_bytes,
        "streams": placed,
        "streams_yielded": streams - placed,
    }
    return _named(figures)


def batch_readings(
    transfer: Transfer,
    streams: int,
    batch_size: int,
    block_bytes: int,
    period_ms: float,
    busy: float,
) -> dict[str, Reading]:
    """The batches of a node with so many streams, which computes for the part `busy` of the time.

    Copies and work are on the device beside each other: it is as busy as the busier of the two.
    """
    pieces, calls = Pieces.of(transfer, block_bytes), max(1, math.ceil(streams / batch_size))
    copies_ms = math.ceil(streams / pieces.streams) * pieces.overhead_ms
    copies_ms += streams * pieces.stream_ms
    work_ms, periods_per_s = busy * period_ms, 1000.0 / period_ms
    on_device_ms = copies_ms + work_ms
    figures = {
        "transfer_in_ms": copies_ms / calls,
        "compute_ms": work_ms / calls,
        "transfer_share": copies_ms / on_device_ms if on_device_ms else 0.0,
        "busy_share": min(1.0, max(copies_ms / period_ms, busy)),
        "in_bytes_per_s": periods_per_s * streams * transfer.bytes_per_stream,
        "replays_per_s": periods_per_s * calls,
    }
    return _named(figures)


def _named(figures: dict[str, float]) -> dict[str, Reading]:
    return {f"gpu.{name}": Value(float(each)) for name, each in figures.items()}
