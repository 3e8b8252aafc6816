"""Figures of the simulator's speed and truth."""

from __future__ import annotations

from kapellmeister.bench.spread import Spread
from kapellmeister.machine.description import Machine
from simulators.figures import Figures


class KernelFigures(Figures):
    """The exact four-stage kernel and the event simulation, in turns, on the same draws."""

    simpy_blocks_per_s: Spread
    kernel_blocks_per_s: Spread
    ratio: Spread
    identical: bool


class LevelFigures(Figures):
    """A coarser level beside the finer; errors are relative, above zero where it says more.

    `miss_rate_error` is None where the finer level missed less than `FEWEST_MISSES`.
    """

    level: str
    against: str
    pipeline: str
    streams: int
    batch_size: int
    utilisation: float
    miss_rate: float
    p99_error: float
    miss_rate_error: float | None


class DayFigures(Figures):
    """A day of 1,000 streams, the whole loop in it, on one core."""

    level: str
    policy: str
    ticks: int
    wall_s: Spread
    goal_s: float


class LearningFigures(Figures):
    """Plant steps a second with random actions; `ppo_s` is None without stable-baselines3."""

    plants: int
    steps_per_s: Spread
    ppo_steps: int
    ppo_s: float | None


class TwinFigures(Figures):
    """A fitted twin at an operating point that was not fitted, against the executor's worker."""

    streams: int
    batch_size: int
    p50_error: float
    p99_error: float
    miss_rate: float
    miss_rate_error: float | None


class SweepFigures(Figures):
    """How long `compare --sweep` took over these traces."""

    traces: int
    last_days: float
    jobs: int
    wall_s: float
    goal_s: float


class SimulatorReport(Figures):
    """All of it, measured side by side in one run; `sweep` is None where no trace was given."""

    machine: Machine
    kernel: KernelFigures
    levels: tuple[LevelFigures, ...]
    days: tuple[DayFigures, ...]
    learning: LearningFigures
    twin: tuple[TwinFigures, ...]
    same_to_the_byte: bool
    sweep: tuple[SweepFigures, ...]
