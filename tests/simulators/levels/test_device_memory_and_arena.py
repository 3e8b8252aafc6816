"""The memory of a simulated device holds as many streams as the arena of a real one."""

import pytest

from controller.errors import DeviceMemoryError
from controller.executors.vram.backings.null import NullBacking
from controller.executors.vram.config import VRAMConfig
from controller.executors.vram.manager import VRAMManager
from controller.executors.vram.usage import Usage
from policies.latency import Transfer
from simulators.levels.device_memory import DeviceMemory

MIB = 1 << 20


def held_by_the_arena(state_bytes: int, block_bytes: int, total_bytes: int) -> int:
    backing = NullBacking(total_bytes)
    manager = VRAMManager(backing, VRAMConfig(total_bytes, block_bytes=block_bytes))
    streams = 0
    try:
        while True:
            manager.allocate(state_bytes, Usage.AUDIO, f"stream {streams}")
            streams += 1
    except DeviceMemoryError:
        return streams


@pytest.mark.parametrize("block_bytes", [1 << 14, 1 << 17, 1 << 20, 1 << 22])
@pytest.mark.parametrize("state_bytes", [5_376, 17_472, 33_000, 266_752])
def test_as_many_streams_fit_in_numbers_as_in_the_arena(state_bytes, block_bytes):
    transfer = Transfer(memory_bytes=16 * MIB, state_bytes=state_bytes)
    model = DeviceMemory.of(transfer, 1 << 20, block_bytes, 1.0)
    assert model.fitting == held_by_the_arena(state_bytes, block_bytes, 16 * MIB)
