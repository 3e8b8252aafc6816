"""Streams, events and graphs of the emulated device."""

import numpy as np
import pytest

from controller.errors import DeviceAllocationError
from controller.executors.gpu.devices.emulated import EmulatedDevice


def device_of(size_bytes):
    device = EmulatedDevice()
    device.reserve(size_bytes).fill(0, size_bytes, 0)
    return device


def test_nothing_happens_before_somebody_waits():
    device = device_of(256)
    stream = device.stream()
    stream.fill(0, 4, 7)
    event = stream.record()
    assert not event.is_done
    assert device.array(0, (4,), np.uint8).tolist() == [0, 0, 0, 0]
    event.wait()
    assert event.is_done
    assert device.array(0, (4,), np.uint8).tolist() == [7, 7, 7, 7]


def test_a_stream_that_does_not_wait_for_another_runs_ahead_of_it():
    device = device_of(256)
    copies, reads = device.stream(), device.stream()
    copies.fill(0, 4, 7)
    out = np.zeros(4, np.uint8)
    reads.copy_out(out, 0)
    reads.record().wait()
    assert out.tolist() == [0, 0, 0, 0]


def test_a_stream_that_waits_for_an_event_finds_what_came_before_it():
    device = device_of(256)
    copies, reads = device.stream(), device.stream()
    copies.fill(0, 4, 7)
    reads.wait(copies.record())
    copies.fill(0, 4, 9)
    out = np.zeros(4, np.uint8)
    reads.copy_out(out, 0)
    reads.record().wait()
    assert out.tolist() == [7, 7, 7, 7]


@pytest.mark.parametrize(
    ("what", "allocate"),
    [
        ("pinned memory", lambda device: device.pinned(64)),
        ("the memory of the device", lambda device: device.reserve(64)),
        ("the plan of a transform", lambda device: device.rfft(None, None, lambda size: 0)),
    ],
)
def test_a_replay_that_allocates_raises(what, allocate):
    device = device_of(256)
    is_replayed = []
    graph = device.capture([lambda: allocate(device) if is_replayed else None])
    is_replayed.append(True)
    stream = device.stream()
    stream.replay(graph)
    with pytest.raises(DeviceAllocationError, match=what):
        stream.record().wait()
    device.pinned(64)


def test_memory_that_nobody_has_written_is_not_a_number():
    device = EmulatedDevice()
    device.reserve(256)
    assert np.isnan(device.array(0, (64,), np.float32)).all()


def test_all_memory_is_free_until_it_is_reserved():
    device = EmulatedDevice()
    free_bytes = device.description.free_bytes
    device.reserve(1 << 20)
    assert device.description.free_bytes == free_bytes - (1 << 20)
