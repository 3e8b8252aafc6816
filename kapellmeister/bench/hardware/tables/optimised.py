"""Baseline against optimised, stage by stage: what each saves, and how busy the device is."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from kapellmeister.bench.hardware.document import OPTIMISED_PERCENT
from kapellmeister.bench.hardware.experiment import NEEDS_CUDA, Experiment, Found
from kapellmeister.bench.hardware.figures import Absent, Measured, Planned
from kapellmeister.bench.hardware.rig import FRAMES, PERIOD_S, Player, Rig, Scale
from kapellmeister.bench.hardware.tables.variants import OnArrays, per_call, to_host
from kapellmeister.bench.hardware.timing import FEWEST_CALLS, back_to_back, in_rounds
from kapellmeister.bench.hardware.workloads import batched_of, settings_of

TITLE = "HRTF"
PART = "baseline against optimised"
STAGES = ("transfer in", "compute", "transfer out")
WHOLE = "all stages"
BASELINE, OPTIMISED = "baseline (CuPy alone, memory allocated in each call)", "optimised (ours)"
NOT_NAMED = "its components are not those of this pipeline; the stages above are measured instead"
Stages = Mapping[str, float]


def optimised() -> Experiment:
    """Stages of a block of many streams at the block rate."""
    rows = [
        *(Planned(took(stage, who), "ms") for who in (BASELINE, OPTIMISED) for stage in STAGES),
        *(Planned(_saved(stage), "%") for stage in (*STAGES, WHOLE)),
        *(Planned(share(stage), "%") for stage in STAGES),
        *(Planned(_used(who), "%") for who in (BASELINE, OPTIMISED)),
        *(Planned(_efficiency(who), "%") for who in (BASELINE, OPTIMISED)),
        *(
            Planned(_potential(stage, who), "%")
            for who in (BASELINE, OPTIMISED)
            for stage in STAGES
        ),
        *(
            Planned(f"component {number} of the document", "%", document=figure)
            for number, figure in enumerate(OPTIMISED_PERCENT, start=1)
        ),
    ]
    return Experiment(PART, tuple(rows), 1.0, _optimised)


def _optimised(rig: Rig, seconds: float) -> Found:
    fastest_ms = _fastest_copy_ms(rig, 0.1 * seconds)
    ours = _ours(rig, 0.45 * seconds)
    yield from _told(OPTIMISED, ours, fastest_ms)
    for number in range(1, len(OPTIMISED_PERCENT) + 1):
        yield Absent(f"component {number} of the document", NOT_NAMED)
    if not rig.is_cuda:
        yield from (Absent(name, NEEDS_CUDA) for name in _of_baseline())
        return
    cupy = importlib.import_module("cupy")
    subject = per_call(TITLE, rig.scale.many, rig.scale.taps)
    baseline = stages_of(subject, cupy.cuda.Device().synchronize, 0.45 * seconds)
    yield from _told(BASELINE, baseline, fastest_ms)
    yield from _compared(baseline, ours)


def _of_baseline() -> list[str]:
    """Names of the rows that need the baseline."""
    potentials = [_potential(stage, BASELINE) for stage in STAGES]
    stages = [*(took(stage, BASELINE) for stage in STAGES), *map(share, STAGES), *potentials]
    return [*stages, *map(_saved, (*STAGES, WHOLE)), _used(BASELINE), _efficiency(BASELINE)]


def stages_of(subject: OnArrays, synchronise: Callable[[], object], seconds: float) -> Stages:
    """Milliseconds of each stage of a block on arrays, each waited for."""

    def block() -> tuple[float, ...]:
        instants_s = [time.perf_counter()]
        with subject.allocating():
            sound = subject.to_device(subject.sound)
            _note(instants_s, synchronise)
            bus = subject.workload.process(sound, subject.slots)
            _note(instants_s, synchronise)
            to_host(bus)
            _note(instants_s, synchronise)
        return tuple(1000.0 * np.diff(instants_s))

    return _medians(block, seconds)


def _ours(rig: Rig, seconds: float) -> Stages:
    """Milliseconds of each stage by the device's own events."""
    workload = batched_of(TITLE, settings_of(TITLE, rig.scale.many, rig.scale.taps))
    with rig.playing(workload, rig.scale.many) as player:
        return _medians(partial(_stages, player, rig.scale), seconds)


def _stages(player: Player, scale: Scale) -> tuple[float, ...]:
    rendered = player.play_at_hand(scale.many)
    return rendered.transfer_in_ms, rendered.compute_ms, rendered.transfer_out_ms


def _medians(block: Callable[[], tuple[float, ...]], seconds: float) -> Stages:
    """At the block rate."""
    block()
    taken = []
    for _ in range(max(FEWEST_CALLS, int(seconds / PERIOD_S))):
        begun_s = time.perf_counter()
        taken.append(block())
        time.sleep(max(0.0, PERIOD_S - (time.perf_counter() - begun_s)))
    return dict(zip(STAGES, np.median(taken, axis=0).tolist(), strict=True))


def _fastest_copy_ms(rig: Rig, seconds: float) -> float:
    """Milliseconds that the sound of a block takes to the device at the speed of a large copy."""
    size_bytes = rig.scale.large_copy_bytes
    with rig.arena():
        stream, host = rig.device.stream(), rig.device.pinned(size_bytes)

        def copy() -> None:
            stream.copy_in(0, host)
            stream.record().wait()

        found = in_rounds({"copy": back_to_back(copy)}, seconds)["copy"]
    sound_bytes = rig.scale.many * FRAMES * np.dtype(np.float32).itemsize
    return found.spread.median * sound_bytes / size_bytes


def _told(who: str, stages: Stages, fastest_ms: float) -> Found:
    """Stages and the share of each, how busy the device is, and how well the bus is used."""
    whole_ms = sum(stages.values())
    for stage in STAGES:
        yield Measured.once(took(stage, who), stages[stage])
        yield Measured.once(_potential(stage, who), 100.0 * stages[stage] / whole_ms)
    yield Measured.once(_used(who), 100.0 * whole_ms / (1000.0 * PERIOD_S))
    yield Measured.once(_efficiency(who), 100.0 * fastest_ms / stages["transfer in"])


def _compared(baseline: Stages, ours: Stages) -> Found:
    """What each stage saves of itself, and its share of all that is saved."""
    whole = {WHOLE: (sum(baseline.values()), sum(ours.values()))}
    for stage, (before, after) in {**_pairs(baseline, ours), **whole}.items():
        yield Measured.once(_saved(stage), 100.0 * (1.0 - after / before))
    saved_ms = sum(baseline.values()) - sum(ours.values())
    for stage, (before, after) in _pairs(baseline, ours).items():
        yield Measured.once(share(stage), 100.0 * (before - after) / saved_ms)


def _pairs(baseline: Stages, ours: Stages) -> dict[str, tuple[float, float]]:
    return {stage: (baseline[stage], ours[stage]) for stage in STAGES}


def _note(instants_s: list[float], synchronise: Callable[[], object]) -> None:
    synchronise()
    instants_s.append(time.perf_counter())


def took(stage: str, who: str) -> str:
    """Name of the row of a stage's milliseconds."""
    return f"{stage}, {who}"


def _saved(stage: str) -> str:
    return f"saved of {stage}"


def share(stage: str) -> str:
    """Name of the row of a stage's share in all that is saved, percent."""
    return f"share of {stage} in all that is saved"


def _used(who: str) -> str:
    return f"utilisation of the device, {who}"


def _efficiency(who: str) -> str:
    return f"efficiency of transfer in, of the speed of a large copy, {who}"


def _potential(stage: str, who: str) -> str:
    return f"bottleneck potential of {stage}: its share of a block, {who}"
