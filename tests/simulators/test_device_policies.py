"""Both knobs of a simulated device, turned by a model or on its readings alone, and undone."""

from __future__ import annotations

import numpy as np
import pytest

from controller.load.trace import LoadTrace
from policies.diagnosis import Bottleneck
from policies.latency import Calibration, Transfer
from policies.proposal import Verdict
from simulators.loads.load_path import Load
from simulators.plant.faults import Fault, Schedule
from simulators.run import run
from simulators.simulation import Simulation

STEPS = 40
DEAR_COPIES = Transfer(bytes_per_stream=16_384, overhead_ms=0.55, state_bytes=1024)
"""Copies of 8 streams in pieces of 128 KiB, each of which takes 0.55 ms."""
DEAR_SLOTS = Transfer(state_bytes=30_000, memory_bytes=80 * 30_208)
"""Memory for 80 states of 30,000 bytes on their own, and for 72 in slabs of 128 KiB."""


def played(policy, knob, transfer, load, *, modelled, faults=()):
    """Ticks of 15 s under one load and then another, on the nodes that the first one needs."""
    ticks = []
    simulation = Simulation(
        policy,
        LoadTrace("steps", (0.0, 15.0), (1.0, 1.0)),
        knobs=(knob,),
        calibration=Calibration(transfer=transfer),
        faults=Schedule(tuple(faults)),
        modelled=modelled,
    )
    streams = np.repeat(load, STEPS)
    path = Load("steps", 15.0, streams, np.ones(streams.size, np.bool_), 0)
    run(simulation, path, instruments=(ticks.append,))
    return ticks


def turns(ticks):
    return [each.action.value for tick in ticks for each in tick.changes]


def verdicts(ticks):
    return [each.verdict for tick in ticks for each in tick.verifications]


def missed(tick):
    return tick.observation.miss_rate.value


@pytest.mark.parametrize("modelled", [True, False], ids=["by a model", "by readings"])
def test_blocks_grow_where_copies_take_too_long(modelled):
    ticks = played("vram", "vram_block_bytes", DEAR_COPIES, (30, 78), modelled=modelled)
    assert turns(ticks)[0] == 1 << 18
    assert verdicts(ticks)[0] is Verdict.CONFIRMED
    assert missed(ticks[STEPS]) > 0.1
    assert missed(ticks[-1]) < 0.01


@pytest.mark.parametrize("modelled", [True, False], ids=["by a model", "by readings"])
def test_blocks_shrink_where_waste_leaves_streams_without_room(modelled):
    ticks = played("vram", "vram_block_bytes", DEAR_SLOTS, (60, 78), modelled=modelled)
    assert turns(ticks) == [1 << 16]
    assert verdicts(ticks) == [Verdict.CONFIRMED]
    assert ticks[STEPS].diagnosis.bottleneck is Bottleneck.GPU_MEMORY
    assert missed(ticks[STEPS]) == pytest.approx(6 / 78, abs=1e-3)
    assert missed(ticks[-1]) == 0.0


def test_batches_grow_where_the_device_is_busy_with_calls():
    ticks = played("batching", "batch_size", Transfer(), (80, 130), modelled=False)
    assert ticks[STEPS].diagnosis.bottleneck is Bottleneck.GPU
    assert turns(ticks) == [256]
    assert verdicts(ticks) == [Verdict.CONFIRMED]
    assert missed(ticks[-1]) < 0.001


@pytest.mark.parametrize(
    ("policy", "knob", "transfer", "load"),
    [
        ("vram", "vram_block_bytes", DEAR_COPIES, (30, 78)),
        ("batching", "batch_size", Transfer(), (80, 105)),
    ],
)
def test_a_change_after_which_more_is_missed_is_undone(policy, knob, transfer, load):
    """The device becomes slow the moment that the change is in force: nobody can tell the two."""
    slow = Fault("slow_gpu", 15.0 * (STEPS + 1), 90.0, 4.0)
    ticks = played(policy, knob, transfer, load, modelled=False, faults=(slow,))
    assert verdicts(ticks)[0] is Verdict.ROLLED_BACK
    undone = next(tick for tick in ticks[STEPS + 2 :] if not tick.verifications)
    assert undone.settings[knob] == ticks[0].settings[knob]
