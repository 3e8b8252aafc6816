"""Every workload by the number of streams: at the block rate and back to back."""

from __future__ import annotations

from functools import partial

from kapellmeister.bench.hardware.experiment import Experiment, Found
from kapellmeister.bench.hardware.figures import Goal, Measured, Planned
from kapellmeister.bench.hardware.rig import FRAMES, PERIOD_S, Rig, Scale
from kapellmeister.bench.hardware.timing import Turn, at_block_rate, back_to_back, in_rounds
from kapellmeister.bench.hardware.workloads import batched_of, settings_of
from kapellmeister.bench.spread import Spread

AT_HAND, COPIED = "sound at hand", "sound copied from ordinary memory"
RATE, BACK_TO_BACK = "at the block rate", "back to back"
MEDIAN_GOAL_MS, P99_GOAL_MS = 0.3, 0.6


def by_streams(title: str, scale: Scale) -> Experiment:
    """Milliseconds from handing a block over to having its sound, median and 99 % quantile."""
    rows = [
        Planned(_name(title, streams, how), "ms")
        for streams in reversed(scale.streams)
        for how in (RATE, BACK_TO_BACK)
    ]
    return Experiment("streams", tuple(rows), 1.0, partial(_by_streams, title))


def goal_rate(scale: Scale) -> Experiment:
    """HRTF of many streams at the block rate, whose goal is in milliseconds."""
    goals = {"median": Goal(MEDIAN_GOAL_MS, is_most=True), "p99": Goal(P99_GOAL_MS, is_most=True)}
    rows = [Planned(_goal_name(scale, figure), "ms", goal) for figure, goal in goals.items()]
    copied = Planned(f"{_name('HRTF', scale.many, RATE)}, {COPIED}", "ms")
    return Experiment("block rate", (*rows, copied), 2.0, _goal_rate)


def _by_streams(title: str, rig: Rig, seconds: float) -> Found:
    scale = rig.scale
    workload = batched_of(title, settings_of(title, scale.many, scale.taps))
    with rig.playing(workload, scale.many) as player:
        for streams in reversed(scale.streams):
            call = partial(player.play_at_hand, streams)
            turns = {RATE: at_block_rate(call, PERIOD_S), BACK_TO_BACK: back_to_back(call)}
            found = in_rounds(turns, seconds / len(scale.streams))
            for how, each in found.items():
                yield each.named(_name(title, streams, how))


def _goal_rate(rig: Rig, seconds: float) -> Found:
    scale = rig.scale
    workload = batched_of("HRTF", settings_of("HRTF", scale.many, scale.taps))
    with rig.playing(workload, scale.many) as player:
        turns: dict[str, Turn] = {
            AT_HAND: at_block_rate(partial(player.play_at_hand, scale.many), PERIOD_S),
            COPIED: at_block_rate(partial(player.play, scale.many), PERIOD_S),
        }
        found = in_rounds(turns, seconds)
    yield found[AT_HAND].named(_goal_name(scale, "median"))
    yield Measured(_goal_name(scale, "p99"), Spread.of([found[AT_HAND].p99]))
    yield found[COPIED].named(f"{_name('HRTF', scale.many, RATE)}, {COPIED}")


def _goal_name(scale: Scale, figure: str) -> str:
    return f"HRTF, {scale.many} streams of {FRAMES} frames, {RATE}, {AT_HAND}, {figure}"


def _name(title: str, streams: int, how: str) -> str:
    return f"{title}, {streams} streams, {how}"
