"""With and without management of device memory: what a block saves, and by which part."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from kapellmeister.bench.hardware.document import REDUCTION_WITH_VRAM_PERCENT
from kapellmeister.bench.hardware.experiment import NEEDS_CUDA, Experiment, Found
from kapellmeister.bench.hardware.figures import Absent, Goal, Measured, Planned
from kapellmeister.bench.hardware.rig import Rig, Scale
from kapellmeister.bench.hardware.tables.variants import (
    CUDA_ONLY,
    PARTS,
    PER_CALL,
    POOLED,
    Block,
    ours_by_parts,
    per_call,
    pooled,
)
from kapellmeister.bench.hardware.timing import Rounds, back_to_back, in_rounds, reductions_percent

OURS = list(PARTS)[-1]
PER_CALL_GOALS_PERCENT = {"FFT": 68.0, "spectrogram": 70.0, "HRTF": 67.0}
POOL_GOAL_PERCENT = 40.0


def with_vram(title: str, scale: Scale) -> Experiment:
    """A block back to back, of few streams and of many."""
    rows: list[Planned] = []
    for streams in (scale.many, scale.few):
        document = REDUCTION_WITH_VRAM_PERCENT[title]
        goals = Goal(PER_CALL_GOALS_PERCENT[title]), Goal(POOL_GOAL_PERCENT)
        rows.append(Planned(_saved(title, streams, PER_CALL), "%", goals[0], document))
        rows.append(Planned(_saved(title, streams, POOLED), "%", goals[1]))
        rows += [Planned(_took(title, streams, who), "ms") for who in (*CUDA_ONLY, *PARTS)]
    return Experiment("with and without VRAM", tuple(rows), 2.0, partial(_with_vram, title))


def _with_vram(title: str, rig: Rig, seconds: float) -> Found:
    for streams in (rig.scale.many, rig.scale.few):
        found = _timed(rig, title, streams, seconds / 2.0)
        for who in (*CUDA_ONLY, *PARTS):
            name = _took(title, streams, who)
            yield found[who].named(name) if who in found else Absent(name, NEEDS_CUDA)
        for who in CUDA_ONLY:
            name = _saved(title, streams, who)
            if who in found:
                yield Measured(name, reductions_percent(found[OURS], found[who]))
            else:
                yield Absent(name, NEEDS_CUDA)


def _timed(rig: Rig, title: str, streams: int, seconds: float) -> dict[str, Rounds]:
    """Milliseconds of a block by everybody, taken in turns."""
    given = title, streams, rig.scale.taps
    with ExitStack() as stack:
        blocks: dict[str, Block] = {}
        if rig.is_cuda:
            blocks = {PER_CALL: per_call(*given).play, POOLED: pooled(*given).play}
        parts = stack.enter_context(ours_by_parts(rig, title, streams))
        blocks |= parts if rig.is_cuda else {OURS: parts[OURS]}
        return in_rounds({who: back_to_back(block) for who, block in blocks.items()}, seconds)


def _took(title: str, streams: int, who: str) -> str:
    return f"{title}, {streams} streams: {who}"


def _saved(title: str, streams: int, baseline: str) -> str:
    return f"{title}, {streams} streams: saved by ours of {baseline}"
