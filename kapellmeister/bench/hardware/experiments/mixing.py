"""The mix of HRTF alone: which part of the device's copying speed it moves its bytes at."""

from __future__ import annotations

import time
from functools import partial

from controller.executors.gpu.devices.device import Graph, Stream
from controller.executors.vram.backing import Backing
from controller.executors.vram.manager import VRAMManager
from controller.executors.vram.usage import Usage
from controller.workloads.cuda.layout import COMPLEX_BYTES
from controller.workloads.workload import blocks_spanning
from kapellmeister.bench.hardware.bare_batch import BareBatch
from kapellmeister.bench.hardware.experiment import Experiment, Found
from kapellmeister.bench.hardware.figures import Goal, Measured, Planned
from kapellmeister.bench.hardware.rig import FRAMES, Rig, Scale
from kapellmeister.bench.hardware.timing import (
    FEWEST_CALLS,
    Rounds,
    Turn,
    back_to_back,
    in_rounds,
)
from kapellmeister.bench.hardware.workloads import (
    OWN_HRTF,
    SHARED_DIRECTIONS,
    batched_of,
    settings_of,
)
from kapellmeister.bench.spread import Spread

TITLES = ("HRTF", OWN_HRTF)
MIX = 2
"""Place of the mix among the steps of HRTF."""


def mixing() -> Experiment:
    """Bytes that must move, by the time they take."""
    rows = [Planned(_name(title), "of copying", Goal(0.5)) for title in TITLES]
    return Experiment("mixing", tuple(rows), 0.5, _mixing)


def _mixing(rig: Rig, seconds: float) -> Found:
    for title in TITLES:
        found = _timed(title, rig, seconds / len(TITLES))
        moved, copied = bytes_of_mix(title, rig.scale), 2 * rig.scale.large_copy_bytes
        mixes, copies = found["mix"].by_round, found["copy"].by_round
        pairs = [(min(mix), min(copy)) for mix, copy in zip(mixes, copies, strict=True)]
        parts = [moved / mix_ms / (copied / copy_ms) for mix_ms, copy_ms in pairs]
        yield Measured(_name(title), Spread.of(parts))


def bytes_of_mix(title: str, scale: Scale) -> int:
    """Bytes that a mix cannot do without: all of the past read, the newest written, responses."""
    spectrum = (FRAMES + 1) * COMPLEX_BYTES
    partitions = blocks_spanning(scale.taps, FRAMES)
    responses = scale.many if title == OWN_HRTF else min(scale.many, SHARED_DIRECTIONS)
    past = scale.many * spectrum * (partitions + 1)
    return past + 2 * responses * partitions * spectrum


def _timed(title: str, rig: Rig, seconds: float) -> dict[str, Rounds]:
    """Milliseconds of the mix by the device's own events, and of a large copy."""
    scale = rig.scale
    workload = batched_of(title, settings_of(title, scale.many, scale.taps))
    with rig.arena() as (backing, manager):
        batch = BareBatch(rig.device, backing, manager, workload, scale.many)
        graph = rig.device.capture(batch.steps[MIX : MIX + 1])
        copy = back_to_back(partial(_copy, backing, *_room(manager, scale), scale.large_copy_bytes))
        return in_rounds({"mix": _by_events(batch.stream, graph), "copy": copy}, seconds)


def _by_events(stream: Stream, graph: Graph) -> Turn:
    """Milliseconds of each replay."""

    def turn(seconds: float) -> list[float]:
        times_ms: list[float] = []
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s or len(times_ms) < FEWEST_CALLS:
            begun = stream.record()
            stream.replay(graph)
            ended = stream.record()
            ended.wait()
            times_ms.append(ended.ms_since(begun))
        return times_ms

    return turn


def _room(manager: VRAMManager, scale: Scale) -> tuple[int, int]:
    """Offsets of two places that a copy may go from and to, which nobody else uses."""
    size_bytes = scale.large_copy_bytes
    places = [manager.allocate(size_bytes, Usage.WORKSPACE, "a large copy") for _ in range(2)]
    source, target = map(manager.pin_for_good, places)
    return source, target


def _copy(backing: Backing, source: int, target: int, size_bytes: int) -> None:
    backing.copy(source, target, size_bytes).wait()


def _name(title: str) -> str:
    return f"{title}: speed of the mix, part of the speed of copying on the device"
