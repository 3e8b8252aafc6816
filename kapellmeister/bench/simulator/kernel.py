"""The exact four-stage kernel beside an event simulation, on the same draws."""

from __future__ import annotations

from kapellmeister.bench.simulator.figures import KernelFigures
from kapellmeister.bench.simulator.pipelines import FOUR_STAGES
from kapellmeister.bench.simulator.stopwatch import timed
from kapellmeister.bench.spread import Spread
from simulators.levels.exact import BlockLevel
from simulators.levels.level import NodeState, Outcome, Work
from simulators.levels.simpy_reference import SimPyPipeline, on_binary_grid

FULL = on_binary_grid(FOUR_STAGES)
KERNEL_WORK = Work(90, 16)
SIMPY_PERIODS, KERNEL_PERIODS, SAME_PERIODS = 400, 40_000, 2000


def compare_kernel(rounds: int) -> KernelFigures:
    """Time both in interleaved rounds, and hold their blocks against each other."""
    level, idle = BlockLevel(FULL), NodeState.idle(0)

    def play_events(periods: int) -> object:
        return SimPyPipeline(FULL, KERNEL_WORK, periods, seed=1).run()

    def sweep(periods: int) -> Outcome:
        return level.advance(idle, KERNEL_WORK, periods, seed=1)[1]

    reference = SimPyPipeline(FULL, KERNEL_WORK, SAME_PERIODS, seed=1).run()
    outcome = sweep(SAME_PERIODS)
    identical = outcome.missed == reference.missed
    identical &= bool((outcome.histogram == reference.histogram).all())
    simpy, kernel = [], []
    for _ in range(rounds):
        blocks = KERNEL_WORK.streams * SIMPY_PERIODS
        simpy.append(blocks / timed(lambda: play_events(SIMPY_PERIODS)))
        blocks = KERNEL_WORK.streams * KERNEL_PERIODS
        kernel.append(blocks / timed(lambda: sweep(KERNEL_PERIODS)))
    return KernelFigures(
        simpy_blocks_per_s=Spread.of(simpy),
        kernel_blocks_per_s=Spread.of(kernel),
        ratio=Spread.of([fast / slow for fast, slow in zip(kernel, simpy, strict=True)]),
        identical=identical,
    )
