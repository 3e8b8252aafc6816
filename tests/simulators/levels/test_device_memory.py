"""Streams in an arena of slabs."""

from __future__ import annotations

import pytest

from policies.latency import Transfer
from simulators.levels.device_memory import DeviceMemory, Extents

MEBIBYTE = 1 << 20
TRANSFER = Transfer(bytes_per_stream=1000, memory_bytes=MEBIBYTE)


@pytest.mark.parametrize(
    ("state_bytes", "extents"),
    [
        (1000, Extents(131_072, 128)),
        (17_500, Extents(131_072, 7)),
        (32_768, Extents(131_072, 4)),
        (32_769, Extents(33_024, 1)),
        (270_000, Extents(270_080, 1)),
    ],
)
def test_a_slab_holds_four_states_or_more_and_a_larger_one_lies_alone(state_bytes, extents):
    assert Extents.of(state_bytes, 131_072) == extents


def test_what_slots_and_the_last_slab_do_not_hold_is_fragmentation():
    memory = DeviceMemory.of(TRANSFER, streams=100, block_bytes=65_536, available=1.0)
    assert (memory.fitting, memory.used_bytes) == (100, 131_072)
    assert memory.fragmentation == pytest.approx(1.0 - 100_000 / 131_072)


def test_a_state_in_a_region_of_its_own_wastes_only_its_alignment():
    large = Transfer(bytes_per_stream=1000, state_bytes=17_500, memory_bytes=MEBIBYTE)
    memory = DeviceMemory.of(large, streams=10, block_bytes=65_536, available=1.0)
    assert (memory.fitting, memory.used_bytes) == (10, 176_640)
    assert memory.fragmentation == pytest.approx(1.0 - 175_000 / 176_640)


def test_large_blocks_leave_room_for_fewer_streams():
    small = DeviceMemory.of(TRANSFER, streams=2000, block_bytes=16_384, available=0.9)
    large = DeviceMemory.of(TRANSFER, streams=2000, block_bytes=524_288, available=0.9)
    assert (small.fitting, small.waiting) == (57 * 16, 2000 - 57 * 16)
    assert large.fitting == 512


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
