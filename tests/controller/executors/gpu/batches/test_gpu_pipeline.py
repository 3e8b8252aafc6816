"""Batches on an emulated device sound as the CPU's do."""

import numpy as np
import pytest
from gpu_rig import gpu_rig

from controller.executors.gpu.workloads.catalogue import BATCHED


@pytest.mark.parametrize("workload", BATCHED)
def test_every_workload_sounds_on_a_device_as_on_the_cpu(workload):
    rig = gpu_rig(workload)
    streams = np.arange(33)
    rig.pipeline.begin(streams)
    assert rig.worst(streams, 12) < 1e-5


def test_streams_that_come_go_and_come_again_begin_from_silence():
    rig = gpu_rig("hrtf")
    rig.pipeline.begin(np.arange(20))
    rig.worst(np.arange(20), 4)
    rig.pipeline.end(np.arange(5, 15))
    few = np.r_[0:5, 15:20]
    assert rig.worst(few, 2) < 1e-5
    rig.pipeline.begin(np.arange(5, 15))
    rig.reference.reset(np.arange(5, 15))
    assert rig.worst(np.arange(20), 4) < 1e-5


def test_a_batch_of_any_size_is_rendered_by_the_next_larger_graph():
    rig = gpu_rig("filters")
    rig.pipeline.begin(np.arange(40))
    assert max(rig.worst(np.arange(n), 1) for n in (40, 1, 8, 9, 17, 32)) < 1e-5


def test_smaller_blocks_serve_new_streams_while_old_ones_play_on():
    rig = gpu_rig("hrtf")
    rig.pipeline.begin(np.arange(10))
    rig.worst(np.arange(10), 3)
    rig.pipeline.memory.resize_blocks(1 << 14)
    rig.pipeline.begin(np.arange(10, 30))
    assert rig.pipeline.memory.block_bytes == 16_384
    assert rig.worst(np.arange(30), 6) < 1e-5


def test_states_that_are_moved_together_sound_as_before():
    rig = gpu_rig("spectrogram", total_mib=12)
    everyone = np.arange(40)
    rig.pipeline.begin(everyone)
    rig.worst(everyone, 3)
    rig.pipeline.end(np.arange(0, 40, 2))
    odd = np.arange(1, 40, 2)
    before = rig.pipeline.memory.offsets[odd].copy()
    rig.pipeline.memory.make_order(always=True)
    assert (rig.pipeline.memory.offsets[odd] != before).any()
    assert rig.worst(odd, 4) < 1e-5


def test_a_stream_without_room_is_homeless_and_the_others_sound():
    rig = gpu_rig("spectrogram", total_mib=8)
    rig.pipeline.begin(np.arange(40))
    memory = rig.pipeline.memory
    housed = np.array(sorted(set(range(40)) - memory.homeless))
    assert 10 < len(housed) < 40
    assert memory.capacity == len(housed)
    assert rig.worst(housed, 3) < 1e-5


def test_room_that_is_given_back_can_be_had_again():
    rig = gpu_rig("spectrogram", total_mib=8)
    rig.pipeline.begin(np.arange(40))
    homeless = np.array(sorted(rig.pipeline.memory.homeless))
    rig.pipeline.end(np.arange(len(homeless)))
    assert rig.pipeline.memory.capacity >= 10
    rig.pipeline.begin(homeless[:8])
    assert not set(homeless[:8].tolist()) & rig.pipeline.memory.homeless


def test_streams_that_share_a_direction_share_its_response():
    rig = gpu_rig("hrtf")
    rig.pipeline.begin(np.arange(40))
    held = rig.pipeline.memory.account().by_usage["cache"]
    rig.pipeline.end(np.arange(40))
    rig.pipeline.begin(np.arange(40))
    assert rig.pipeline.memory.account().by_usage["cache"] == held
    assert rig.pipeline.memory.cache_hits >= 40


def test_a_stream_that_turns_is_heard_from_elsewhere_at_once_and_nothing_is_captured_again():
    turned, always = gpu_rig("hrtf"), gpu_rig("hrtf")
    for rig in (turned, always):
        rig.pipeline.begin(np.arange(3))
    always.pipeline.memory.turn(1, 7)
    for _ in range(4):
        turned.play(np.arange(3))
        always.play(np.arange(3))
    turned.pipeline.memory.turn(1, 7)
    heard, expected = turned.play(np.arange(3))[0], always.play(np.arange(3))[0]
    np.testing.assert_allclose(heard, expected, atol=1e-6)
    assert turned.pipeline.replays == 5


def test_two_batches_are_under_way_at_once_and_each_keeps_its_sound():
    rig = gpu_rig("hrtf")
    rig.pipeline.begin(np.arange(16))
    sound = np.random.default_rng(3).normal(0, 0.1, (16, 256)).astype(np.float32)
    fills = [
        lambda first, last, out, at=at: np.copyto(out, sound[at + first : at + last])
        for at in (0, 8)
    ]
    first = rig.pipeline.submit(0, np.arange(8), fills[0])
    second = rig.pipeline.submit(0, np.arange(8, 16), fills[1])
    assert not rig.pipeline.has_room
    heard = [rig.pipeline.collect(batch).bus.copy() for batch in (first, second)]
    expected = [rig.reference.process(sound[at : at + 8], np.arange(at, at + 8)) for at in (0, 8)]
    np.testing.assert_allclose(heard, expected, atol=1e-6)
    assert rig.pipeline.has_room


def test_the_times_of_a_batch_are_those_between_its_events():
    rig = gpu_rig("hrtf")
    rig.pipeline.begin(np.arange(8))
    batch = rig.pipeline.submit(0, np.arange(8), lambda first, last, out: out.fill(0.1))
    rendered = rig.pipeline.collect(batch)
    assert rendered.transfer_in_ms > 0.0
    assert rendered.compute_ms > rendered.transfer_out_ms > 0.0
