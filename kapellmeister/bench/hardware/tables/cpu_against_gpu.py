"""Processors against the device: one core and all of them, and from how many streams on it pays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kapellmeister.bench.hardware.document import SPEED_UP
from kapellmeister.bench.hardware.experiment import Experiment, Found
from kapellmeister.bench.hardware.figures import Absent, Goal, Measured, Planned
from kapellmeister.bench.hardware.rig import FRAMES, Rig, Scale
from kapellmeister.bench.hardware.tables.processors import Job, all_cores_ms, best_batch
from kapellmeister.bench.hardware.timing import FEWEST_CALLS, Rounds, back_to_back, in_rounds
from kapellmeister.bench.hardware.workloads import FFT, OWN_HRTF, batched_of, settings_of
from kapellmeister.bench.spread import Spread

GOALS = {
    "HRTF": 30.0,
    OWN_HRTF: 30.0,
    "spectrogram": 30.0,
    "spectral analysis": 30.0,
    "visualisation": 30.0,
    "filtering": 10.0,
}
"""Times that the device is faster than one core, at the least."""
TITLES = (*GOALS, FFT)
MOST_CALLS = 200
ONE, ALL, DEVICE = "one core at its best batch", "all cores", "the device, transfers included"
BATCH, CROSSOVER = "best batch", "faster than one core from"
CORES_NEED_S = 4.0
"""Seconds below which no processes are started on all cores."""


def cpu_against_gpu(title: str, scale: Scale) -> Experiment:
    """A block of many streams, back to back."""
    goal = Goal(GOALS[title]) if title in GOALS else None
    rows = (
        Planned(_name(title, scale, f"{ONE} / {DEVICE}"), "times", goal, SPEED_UP.get(title)),
        Planned(_name(title, scale, f"{ALL} / {DEVICE}"), "times"),
        *(Planned(_name(title, scale, who), "ms") for who in (DEVICE, ONE, ALL)),
        Planned(_name(title, scale, BATCH), "streams"),
        Planned(_name(title, scale, CROSSOVER), "streams"),
    )
    take = partial(_cpu_against_gpu, title)
    return Experiment("CPU against GPU", rows, 2.0, take)


def _cpu_against_gpu(title: str, rig: Rig, seconds: float) -> Found:
    scale = rig.scale
    name = partial(_name, title, scale)
    on_device = _on_device(title, rig, 0.3 * seconds)
    device = on_device[scale.many]
    yield device.named(name(DEVICE))
    job = Job(title, scale.many, scale.taps)
    batch, one = best_batch(job, 0.4 * seconds)
    yield Measured.once(name(BATCH), batch)
    yield Measured(name(ONE), one)
    yield Measured(name(f"{ONE} / {DEVICE}"), times(one, device.spread))
    crossing = _crossing(on_device, one.median / scale.many)
    if crossing is None:
        yield Absent(name(CROSSOVER), f"it is not, up to {scale.many} streams")
    else:
        yield Measured.once(name(CROSSOVER), crossing)
    yield from _all_cores(job, batch, one, device.spread, seconds, name)


def _on_device(title: str, rig: Rig, seconds: float) -> dict[int, Rounds]:
    """Milliseconds of a block by the number of streams."""
    scale = rig.scale
    workload = batched_of(title, settings_of(title, scale.many, scale.taps))
    with rig.playing(workload, scale.many) as player:
        calls = {str(n): back_to_back(partial(player.play_at_hand, n)) for n in scale.streams}
        return {int(n): each for n, each in in_rounds(calls, seconds).items()}


def _all_cores(
    job: Job, batch: int, one: Spread, device: Spread, seconds: float, name: Callable[[str], str]
) -> Found:
    if seconds < CORES_NEED_S:
        why = f"processes on all cores need {CORES_NEED_S:g} s, and there were {seconds:.1f} s"
        yield from (Absent(name(what), why) for what in (ALL, f"{ALL} / {DEVICE}"))
        return
    calls = max(FEWEST_CALLS, min(MOST_CALLS, int(300.0 * seconds / one.median)))
    found = all_cores_ms(job, batch, calls)
    yield Measured(name(ALL), found)
    yield Measured(name(f"{ALL} / {DEVICE}"), times(found, device))


def times(slower: Spread, faster: Spread) -> Spread:
    """One time as a multiple of another; its range is the widest that the two allow."""
    return Spread(
        median=slower.median / faster.median,
        lowest=slower.lowest / faster.highest,
        highest=slower.highest / faster.lowest,
    )


def _crossing(on_device: dict[int, Rounds], stream_ms: float) -> float | None:
    """The fewest streams measured from which on one core, in proportion, is slower."""
    slower = [n for n, each in on_device.items() if each.spread.median >= n * stream_ms]
    return next((float(n) for n in sorted(on_device) if n > max(slower, default=0)), None)


def _name(title: str, scale: Scale, what: str) -> str:
    return f"{title}, {scale.many} streams of {FRAMES} frames: {what}"
