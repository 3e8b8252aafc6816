"""Three stages, A, B and A again, whose buffers just fit: what breaks pools that keep pieces."""

from __future__ import annotations

from itertools import count

from controller.executors.vram.traces import AllocationTrace, TraceWriter
from controller.executors.vram.usage import Usage

STAGE_BYTES = (12 << 20, 20 << 20, 12 << 20)
"""Bytes of a buffer in each stage."""


def stages(arena_bytes: int) -> AllocationTrace:
    """Each stage begins while every other buffer of the one before is held, and then fills all."""
    writer, numbers = TraceWriter(), count()
    held: list[tuple[int, int]] = []
    for size_bytes in STAGE_BYTES:
        for number, _ in held[::2]:
            writer.write(number, 0, Usage.ANALYSIS)
        before = held[1::2]
        room = arena_bytes - sum(size for _, size in before)
        held = _fill(writer, numbers, size_bytes, room)
        for number, _ in before:
            writer.write(number, 0, Usage.ANALYSIS)
        room = arena_bytes - sum(size for _, size in held)
        held += _fill(writer, numbers, size_bytes, room)
    return writer.trace()


def _fill(
    writer: TraceWriter, numbers: count[int], size_bytes: int, room: int
) -> list[tuple[int, int]]:
    """Buffers of one size, as many as there is room for, by number and size."""
    taken = [(next(numbers), size_bytes) for _ in range(room // size_bytes)]
    for number, size in taken:
        writer.write(number, size, Usage.ANALYSIS)
    return taken
