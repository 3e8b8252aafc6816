"""Ceilings: how fast bytes are copied, by size, and what a launch and a replay cost the host."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from controller.executors.gpu.devices.device import Stream
from controller.executors.vram.backing import Backing
from kapellmeister.bench.hardware.bare_batch import BareBatch, launch_all
from kapellmeister.bench.hardware.experiment import NEEDS_CUDA, Experiment, Found
from kapellmeister.bench.hardware.figures import Absent, Goal, Measured, Planned
from kapellmeister.bench.hardware.rig import Rig, Scale
from kapellmeister.bench.hardware.timing import (
    FEWEST_CALLS,
    Turn,
    back_to_back,
    in_rounds,
)
from kapellmeister.bench.hardware.workloads import batched_of, settings_of
from kapellmeister.bench.spread import Spread

SIZES_BYTES = tuple(1 << k for k in (12, 16, 20, 24, 28))
WAYS = ("in, pinned", "in, pageable", "out, pinned", "out, pageable", "on the device")
REPLAY_GOAL_US = 30.0


def copies(scale: Scale) -> Experiment:
    """Bytes a second that are copied."""
    rows = [Planned(_name(way, size), "GB/s") for size in _sizes(scale) for way in WAYS]
    return Experiment("copies", tuple(rows), 1.5, _copies)


def launches(scale: Scale) -> Experiment:
    """Host time until a block's work is handed to the device."""
    goal = Goal(REPLAY_GOAL_US, is_most=True)
    rows = [Planned(name, "us", goal if "replay" in name else None) for name in _costs(scale)]
    return Experiment("launches", tuple(rows), 0.5, _launches)


def _copies(rig: Rig, seconds: float) -> Found:
    with rig.arena() as (backing, _):
        for size in _sizes(rig.scale):
            turns = _turns(rig, backing, size)
            for way in WAYS:
                if "pageable" in way and not rig.is_cuda:
                    yield Absent(_name(way, size), NEEDS_CUDA)
            found = in_rounds(turns, seconds / len(_sizes(rig.scale)))
            for way, each in found.items():
                rates = [size / 1e6 / float(np.median(times_ms)) for times_ms in each.by_round]
                yield Measured(_name(way, size), Spread.of(rates))


def _sizes(scale: Scale) -> list[int]:
    """The largest first; a copy on the device has to fit."""
    return [size for size in reversed(SIZES_BYTES) if size <= scale.large_copy_bytes]


def _turns(rig: Rig, backing: Backing, size_bytes: int) -> dict[str, Turn]:
    stream = rig.device.stream()
    hosts = {"pinned": rig.device.pinned(size_bytes)}
    if rig.is_cuda:
        hosts["pageable"] = np.zeros(size_bytes, np.uint8)
    turns: dict[str, Turn] = {}
    for kind, host in hosts.items():
        host[:] = 1
        fetch, hand_out = partial(stream.copy_in, 0, host), partial(stream.copy_out, host, 0)
        turns[f"in, {kind}"] = back_to_back(_waited(stream, fetch))
        turns[f"out, {kind}"] = back_to_back(_waited(stream, hand_out))
    within = lambda: backing.copy(0, size_bytes, size_bytes).wait()  # noqa: E731 - one of several
    return {**turns, "on the device": back_to_back(within)}


def _waited(stream: Stream, tell: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        tell()
        stream.record().wait()

    return call


def _launches(rig: Rig, seconds: float) -> Found:
    settings = settings_of("HRTF", rig.scale.many, rig.scale.taps)
    workload = batched_of("HRTF", settings)
    with rig.arena() as (backing, manager):
        batch = BareBatch(rig.device, backing, manager, workload, rig.scale.many)
        tells = (
            partial(launch_all, batch.stream, batch.steps),
            partial(batch.stream.replay, batch.graph),
        )
        turns = [_host_us(batch.stream, tell) for tell in tells]
        found = in_rounds(dict(zip(_costs(rig.scale), turns, strict=True)), seconds)
        for name, each in found.items():
            yield each.named(name)


def _host_us(stream: Stream, tell: Callable[[], object]) -> Turn:
    """Microseconds that telling takes, the device being idle before each."""

    def turn(seconds: float) -> list[float]:
        times_us: list[float] = []
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s or len(times_us) < FEWEST_CALLS:
            begun_s = time.perf_counter()
            tell()
            times_us.append(1e6 * (time.perf_counter() - begun_s))
            stream.record().wait()
        return times_us

    return turn


def _name(way: str, size_bytes: int) -> str:
    kib = size_bytes >> 10
    return f"copy {way}, {kib} KiB" if kib < 1024 else f"copy {way}, {kib >> 10} MiB"


def _costs(scale: Scale) -> tuple[str, str]:
    subject = f"a block of HRTF, {scale.many} streams"
    return f"launch of {subject}, step by step, host time", f"replay of {subject}, host time"
