"""A device's own figures tell why blocks are held up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import KNOBS, quantiles

from controller.config.config import ThresholdsSection
from controller.diagnosis.diagnostician import Diagnostician
from policies.diagnosis import Bottleneck
from policies.knobs import Choice, Knob, Settings
from policies.objective import Objective
from policies.observation import BlockCounts, Observation, StageTimes, Value

DEVICE_KNOBS = {
    **KNOBS,
    "vram_block_bytes": Knob("vram_block_bytes", Choice((1 << 16, 1 << 17)), "memory"),
}
AT_EASE = {
    "audio.utilisation": 0.2,
    "gpu.busy_share": 0.4,
    "gpu.transfer_share": 0.2,
    "gpu.arena_bytes": 1e9,
    "gpu.arena_used_bytes": 5e8,
    "gpu.fragmentation_share": 0.01,
    "gpu.streams_on_cpu": 0.0,
    "gpu.streams_yielded": 0.0,
    "gpu.allocations_full_per_s": 0.0,
    "gpu.allocations_fragmented_per_s": 0.0,
}


def observation(missed=0, stages=(), **readings):
    """An interval of 10,000 blocks; at ease but for `readings` of the device."""
    figures = {**AT_EASE, **{f"gpu.{name}": each for name, each in readings.items()}}
    return Observation(
        1000.0,
        1.0,
        Value(10.0),
        blocks=BlockCounts(on_time=10_000 - missed, late=missed),
        latency=quantiles(2.0),
        stages={
            name: StageTimes(quantiles(0.0), quantiles(ms)) for name, ms in dict(stages).items()
        },
        readings={name: Value(each) for name, each in figures.items()},
    )


def diagnose(seen, knobs=DEVICE_KNOBS):
    return Diagnostician(ThresholdsSection(), Objective(5.0, 0.001)).diagnose(
        seen, None, Settings(), knobs
    )


def test_a_device_at_ease_is_no_bottleneck():
    assert diagnose(observation()).bottleneck is Bottleneck.NONE


def test_blocks_missed_beside_a_device_at_ease_are_not_laid_to_it():
    assert diagnose(observation(missed=100)).bottleneck is Bottleneck.UNKNOWN


def test_a_device_without_reserve_is_the_bottleneck_and_capacity_helps():
    found = diagnose(observation(missed=100, busy_share=0.93))
    assert found.bottleneck is Bottleneck.GPU
    assert found.summary == "1.00% of the blocks missed: the device is busy 93% of the time"
    assert found.helpful_knobs == ("batch_size", "nodes")
    assert "device busy with our stages 0.93 of the time (limit 0.85)" in map(str, found.evidence)


def test_work_of_the_device_that_makes_a_batch_late_is_the_bottleneck():
    found = diagnose(observation(stages={"compute": 4.4}, compute_ms=4.2))
    assert found.bottleneck is Bottleneck.GPU
    assert found.summary.endswith("a batch takes 4.20 ms of work on the device")


def test_a_batch_that_is_late_while_its_work_on_the_device_is_short_is_not_laid_to_it():
    found = diagnose(observation(stages={"compute": 4.4}, compute_ms=0.3))
    assert found.bottleneck is not Bottleneck.GPU


def test_a_busy_device_that_runs_slowly_is_told_with_what_helps():
    found = diagnose(observation(missed=100, busy_share=0.93, sm_clock_share=0.5))
    assert found.summary.endswith("at 50% of its clock; see to its cooling and its power limit")


@pytest.mark.parametrize(
    ("stages", "readings"),
    [
        ({}, {"busy_share": 0.9, "transfer_share": 0.7}),
        ({"transfer_in": 1.4}, {"transfer_in_ms": 1.3, "transfer_share": 0.7}),
    ],
    ids=["a busy device", "a copy that is late"],
)
def test_copies_that_dominate_are_the_bottleneck_and_larger_blocks_come_first(stages, readings):
    found = diagnose(observation(missed=100, stages=stages, **readings))
    assert found.bottleneck is Bottleneck.TRANSFER
    assert found.helpful_knobs == ("vram_block_bytes", "batch_size", "nodes")
    assert "copies to the device and back are 70% of a batch's time there" in found.summary


def test_copies_that_dominate_a_device_with_time_to_spare_hold_nothing_up():
    found = diagnose(observation(missed=100, transfer_share=0.7))
    assert found.bottleneck is not Bottleneck.TRANSFER


def test_streams_without_room_are_a_symptom_even_while_every_block_is_on_time():
    found = diagnose(
        observation(
            streams_on_cpu=12.0,
            allocations_full_per_s=3.0,
            arena_used_bytes=9.9e8,
            fragmentation_share=0.4,
        )
    )
    assert found.bottleneck is Bottleneck.GPU_MEMORY
    assert found.summary == (
        "12 streams found no room on the device: the device's memory is full with 99% of it in "
        "use, 40% of that by blocks that hold less"
    )
    assert found.helpful_knobs == ("vram_block_bytes", "nodes")


def test_memory_without_waste_is_relieved_by_nodes_alone():
    found = diagnose(observation(streams_yielded=3.0, arena_used_bytes=9.9e8))
    assert found.helpful_knobs == ("nodes",)


def test_allocations_that_fail_with_room_left_are_told_as_fragmentation():
    found = diagnose(observation(allocations_fragmented_per_s=2.0))
    assert found.bottleneck is Bottleneck.GPU_MEMORY
    assert found.summary.startswith(
        "2 allocations a second found no room on the device: the device's memory is in pieces "
        "too small for what is asked"
    )


def test_streams_on_processors_while_the_arena_has_room_are_not_laid_to_its_memory():
    """A device that was lost: its streams play on, and no block size brings them back."""
    assert diagnose(observation(streams_on_cpu=12.0)).bottleneck is Bottleneck.NONE


def test_memory_comes_before_the_processors_that_its_lack_makes_busy():
    seen = observation(missed=500, streams_on_cpu=200.0, allocations_full_per_s=1.0)
    busy = {**seen.readings, "audio.utilisation": Value(0.99)}
    assert diagnose(replace(seen, readings=busy)).bottleneck is Bottleneck.GPU_MEMORY


def test_a_plant_without_a_device_is_told_nothing_of_one():
    seen = observation(missed=100)
    ours = {name: each for name, each in seen.readings.items() if not name.startswith("gpu.")}
    found = diagnose(replace(seen, readings={**ours, "audio.utilisation": Value(0.95)}))
    assert found.bottleneck is Bottleneck.OVERLOAD
    assert not [each for each in found.evidence if "device" in each.name]


def test_older_journals_that_name_the_memory_are_still_read():
    assert Bottleneck("memory") is Bottleneck.GPU_MEMORY
    with pytest.raises(ValueError, match="no such cause"):
        Bottleneck("no such cause")
