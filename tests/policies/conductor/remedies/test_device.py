"""Blocks of device memory and batches on a device: turned on evidence, judged, undone."""

from __future__ import annotations

import pytest
from device_machine import DeviceMachine
from fakes import OBJECTIVE, FakeClock, Rig

from controller.config.config import ThresholdsSection
from controller.diagnosis.diagnostician import Diagnostician
from policies.conductor.conductor import Batching, Conductor, Vram
from policies.diagnosis import Bottleneck
from policies.knobs import Choice
from policies.observation import Missing
from policies.proposal import Verdict

SHORT_OF_MEMORY = {"arena_bytes": 50_000_000}
"""Room for all of 1,000 states in blocks of 32 KiB, for 762 in 64 KiB, for 381 in 128 KiB."""
MANY_COPIES = {
    "streams": 4096,
    "batch_size": 2048,
    "vram_block_bytes": 1 << 14,
    "copy_ms": 0.0155,
    "stream_ms": 0.0005,
    "arena_bytes": 1 << 33,
}
"""Two batches of 2 MiB in 128 copies each, which take 5.1 ms of a period of 5 ms."""
MANY_CALLS = {
    "batch_size": 16,
    "call_ms": 0.1,
    "stream_ms": 0.0005,
    "copy_ms": 0.001,
    "arena_bytes": 1 << 33,
}
"""1,000 streams in 63 calls, which take 6.3 ms."""


class Device(Rig):
    """A policy, the diagnosis and a device."""

    def __init__(self, policy, **figures) -> None:
        clock = FakeClock()
        super().__init__(
            policy,
            clock=clock,
            plant=DeviceMachine(clock, **figures),
            diagnostician=Diagnostician(ThresholdsSection(), OBJECTIVE),
        )

    def turns(self, count: int) -> list[tuple[str, int]]:
        """Each turn of a knob in so many seconds."""
        return [
            (each.action.knob, each.action.value)
            for tick in self.ticks(count)
            for each in tick.changes
        ]

    def verdicts(self) -> list[Verdict]:
        return [each.verdict for tick in self.recorder.ticks for each in tick.verifications]


@pytest.mark.parametrize("policy", [Vram, Batching, Conductor])
def test_on_a_device_at_ease_nothing_is_turned(policy):
    assert Device(policy()).turns(60) == []


def test_where_waste_holds_streams_off_blocks_shrink_until_all_have_room():
    device = Device(Vram(), **SHORT_OF_MEMORY)
    turned = device.turns(60)
    assert turned == [("vram_block_bytes", 1 << 16), ("vram_block_bytes", 1 << 15)]
    assert device.recorder.ticks[0].diagnosis.bottleneck is Bottleneck.GPU_MEMORY
    assert device.recorder.ticks[-1].diagnosis.bottleneck is Bottleneck.NONE
    assert device.plant.fitting == 1000
    reason = next(tick for tick in device.recorder.ticks if tick.changes).changes[0].action.reason
    assert reason.endswith(
        "blocks of 65536 bytes waste less memory than those of 131072 do, of which 88% is lost now"
    )


def test_where_copies_dominate_blocks_grow_until_they_do_no_more():
    device = Device(Vram(), **MANY_COPIES)
    assert device.turns(60) == [("vram_block_bytes", 1 << 15)]
    assert device.recorder.ticks[0].diagnosis.bottleneck is Bottleneck.TRANSFER
    assert device.verdicts() == [Verdict.CONFIRMED]
    reason = device.recorder.ticks[0].changes[0].action.reason
    assert reason.endswith("a batch goes to the device in 128 copies of 16384 bytes, 64 of 32768")


def test_blocks_do_not_grow_where_larger_ones_could_fill_the_arena():
    device = Device(Vram(), **{**MANY_COPIES, "arena_bytes": 80_000_000})
    assert device.turns(10) == []
    rejected = device.recorder.ticks[-1].proposal.rejected
    assert "block_32768: states could take 102% of the arena then" in rejected


def test_blocks_do_not_grow_beyond_the_largest_free_region():
    device = Device(Vram(), **{**MANY_COPIES, "arena_bytes": 4096 * 16_384 + 20_000})
    assert device.turns(10) == []
    rejected = device.recorder.ticks[-1].proposal.rejected
    assert "block_32768: the largest free region has 20000 bytes" in rejected


def test_blocks_that_hold_a_whole_batch_do_not_grow():
    device = Device(Vram(), batch_size=64, copy_ms=1.0, vram_block_bytes=1 << 17)
    assert device.turns(10) == []
    assert "larger blocks: they would save no copy" in device.recorder.ticks[-1].proposal.rejected


def test_blocks_do_not_grow_where_nobody_knows_what_a_batch_takes():
    device = Device(Vram(), **MANY_COPIES)
    observe = device.plant.observe

    def silent():
        seen = observe()
        seen.readings["gpu.in_bytes_per_s"] = Missing("not counted here")
        return seen

    device.plant.observe = silent
    assert device.turns(10) == []
    assert "how many bytes a batch takes is not known" in str(
        device.recorder.ticks[-1].proposal.rejected
    )


@pytest.mark.parametrize(
    ("figures", "harmful", "before"),
    [(MANY_COPIES, 1 << 15, 1 << 14), (SHORT_OF_MEMORY, 1 << 16, 1 << 17)],
    ids=["larger", "smaller"],
)
def test_blocks_that_do_harm_are_undone_and_left_alone(figures, harmful, before):
    """All of it is missed with the next size, for whatever reason."""
    device = Device(Vram(), **figures)
    assert device.plant.observe().miss_rate.value < 0.8
    device.plant.unlike["vram_block_bytes", harmful] = 1.0
    turned = device.turns(60)
    assert turned[0] == ("vram_block_bytes", harmful)
    assert device.verdicts()[0] is Verdict.ROLLED_BACK
    assert turned.count(("vram_block_bytes", harmful)) == 1
    assert device.plant.applied[1] == ("vram_block_bytes", before)


def test_a_device_busy_with_many_calls_gets_larger_batches_up_to_one_call():
    device = Device(Batching(), **MANY_CALLS)
    assert device.turns(30) == [("batch_size", 1024)]
    assert device.recorder.ticks[0].diagnosis.bottleneck is Bottleneck.GPU
    assert device.verdicts() == [Verdict.CONFIRMED]


def test_batches_grow_to_the_largest_that_a_device_takes():
    device = Device(Batching(), **MANY_CALLS | {"streams": 9000, "batch_size": 64})
    assert device.turns(1) == [("batch_size", 4096)]


def test_a_batch_that_does_harm_is_undone_and_the_next_smaller_is_tried():
    device = Device(Batching(), **MANY_CALLS)
    device.plant.unlike["batch_size", 1024] = 1.0
    assert device.turns(60) == [("batch_size", 1024), ("batch_size", 512)]
    assert device.verdicts() == [Verdict.ROLLED_BACK, Verdict.CONFIRMED]


def test_batches_that_are_in_time_only_by_their_head_start_are_not_made_larger():
    """Eight of 0.54 ms to copy and 0.5 ms to compute fit; one of 4.32 ms and 4 ms does not."""
    device = Device(
        Batching(), streams=1024, batch_size=128, copy_ms=0.54, call_ms=0.0, stream_ms=0.5 / 128
    )
    device.plant.unlike["batch_size", 128] = 0.05
    (tick,) = device.ticks(1)
    assert tick.diagnosis.bottleneck is Bottleneck.TRANSFER
    assert tick.changes == ()
    rejected = "; ".join(tick.proposal.rejected)
    assert "batch_1024: without a head start a block could take 8.32 of 5.00 ms" in rejected


def test_copies_that_dominate_one_batch_are_spread_over_several():
    """Of 5.6 ms 3.6 are copied before anything is computed; in parts both go on at once."""
    device = Device(
        Batching(), streams=1024, batch_size=1024, copy_ms=0.45, call_ms=0.0, stream_ms=0.002
    )
    assert device.turns(60) == [("batch_size", 512)]
    assert device.verdicts() == [Verdict.CONFIRMED]
    reason = next(tick for tick in device.recorder.ticks if tick.changes).changes[0].action.reason
    assert "one is copied while another is computed: 4.62 ms instead of 5.65 ms" in reason


def test_the_conductor_turns_the_blocks_before_the_batch():
    device = Device(Conductor(), **MANY_COPIES)
    assert device.turns(1) == [("vram_block_bytes", 1 << 15)]
    device.ticks(5)
    assert set(device.verdicts()) == {Verdict.CONFIRMED}


def test_the_domain_of_a_device_goes_beyond_that_of_a_processor():
    domain = Device(Batching()).plant.knobs()["batch_size"].domain
    assert isinstance(domain, Choice)
    assert domain.values[-1] == 4096
