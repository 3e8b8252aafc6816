"""What was allocated is recorded, and played to another allocator."""

import pytest

from controller.errors import DeviceMemoryError
from controller.executors.vram.backings.null import NullBacking
from controller.executors.vram.config import VRAMConfig
from controller.executors.vram.manager import VRAMManager
from controller.executors.vram.traces import AllocationTrace, Recorded, replay
from controller.executors.vram.usage import Usage

MIB = 1 << 20


def arena(size_bytes):
    return VRAMManager(NullBacking(size_bytes), VRAMConfig(block_bytes=16384))


@pytest.fixture
def trace():
    recorded = Recorded(arena(MIB))
    first = recorded.allocate(MIB // 2, Usage.AUDIO, "a")
    with pytest.raises(DeviceMemoryError):
        recorded.allocate(MIB, Usage.CACHE, "b")
    recorded.free(first)
    recorded.allocate(3 * MIB // 4, Usage.ANALYSIS, "c")
    return recorded.trace()


def test_operations_are_recorded_in_order_also_those_that_were_refused(trace):
    assert list(trace) == [
        (0, 524_288, Usage.AUDIO),
        (1, 1_048_576, Usage.CACHE),
        (0, 0, Usage.AUDIO),
        (2, 786_432, Usage.ANALYSIS),
    ]


def test_a_trace_survives_a_file(trace, tmp_path):
    trace.save(tmp_path / "trace.npz")
    assert list(AllocationTrace.load(tmp_path / "trace.npz")) == list(trace)


def test_a_trace_is_refused_elsewhere_what_does_not_fit_there(trace):
    assert replay(trace, arena(MIB)) == (1,)
    assert replay(trace, arena(MIB // 2)) == (1, 2)
    large = arena(2 * MIB)
    assert replay(trace, large) == ()
    assert large.account().by_owner == {"cache": MIB, "analysis": 786_432}
