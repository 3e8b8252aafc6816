"""Streams in blocks of device memory."""

from __future__ import annotations

import pytest

from policies.latency import Transfer
from simulators.levels.device_memory import DeviceMemory

MEBIBYTE = 1 << 20
TRANSFER = Transfer(bytes_per_stream=1000, memory_bytes=MEBIBYTE)


def test_what_the_last_block_does_not_hold_is_fragmentation():
    memory = DeviceMemory.of(TRANSFER, streams=100, block_bytes=65_536, available=1.0)
    assert (memory.fitting, memory.used_bytes) == (100, 131_072)
    assert memory.fragmentation == pytest.approx(1.0 - 100_000 / 131_072)


def test_large_blocks_leave_room_for_fewer_streams():
    small = DeviceMemory.of(TRANSFER, streams=2000, block_bytes=16_384, available=0.9)
    large = DeviceMemory.of(TRANSFER, streams=2000, block_bytes=524_288, available=0.9)
    assert small.fitting == 57 * 16_384 // 1000
    assert large.fitting == 524_288 // 1000


def test_a_memory_that_is_gone_holds_nothing():
    memory = DeviceMemory.of(TRANSFER, streams=5, block_bytes=65_536, available=0.0)
    assert (memory.fitting, memory.used_bytes, memory.occupancy) == (0, 0, 1.0)


def test_a_reservation_waits_longer_the_fuller_the_memory_is():
    waits = [
        DeviceMemory.of(TRANSFER, streams, 16_384, 1.0).reservation_us()
        for streams in (10, 500, 1000)
    ]
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
