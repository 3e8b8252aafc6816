"""How fast the simulator is and how true, every figure beside its goal."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from controller.errors import MissingExtraError
from kapellmeister.bench.goal import at_least, at_most, judged, within
from kapellmeister.bench.loop import Spread
from kapellmeister.experiments.compare import find_traces
from kapellmeister.machine.description import Machine, describe_machine
from policies.latency import Calibration, Compute, Link, Post, Residuals, Transfer, lognormal
from simulators.calibration.calibration import Fidelity, fit, replay
from simulators.calibration.virtual_time import play
from simulators.comparison.comparison import compare
from simulators.comparison.request import Comparison
from simulators.levels.capacity import interval_level
from simulators.levels.closed_form import IntervalLevel
from simulators.levels.exact import BatchLevel, BlockLevel
from simulators.levels.level import LevelName, NodeState, Outcome, Work
from simulators.levels.simpy_reference import SimPyPipeline, on_binary_grid
from simulators.loads.generators import generate
from simulators.loads.path import realise
from simulators.plant.service import quantiles
from simulators.run import run
from simulators.simulate import simulate
from simulators.simulation import Simulation

Progress = Callable[[float], None]
PIPELINES = {
    "batch server": Calibration(),
    "four stages": Calibration(transfer=Transfer(), post=Post(), link=Link()),
}
FULL = on_binary_grid(PIPELINES["four stages"])
KERNEL_WORK = Work(90, 16)
SIMPY_PERIODS, KERNEL_PERIODS, SAME_PERIODS = 400, 40_000, 2000
LEVEL_PERIODS = 200_000
LEVEL_STREAMS = {16: (70, 80, 88, 94, 98), 64: (100, 120, 140)}
LEVEL_GOALS = (("batch", "block", 0.02, 0.15), ("interval", "batch", 0.05, 0.30))
FEWEST_MISSES = 1e-4
"""A miss rate below this is compared with nothing: too few blocks tell it."""
DAYS: tuple[tuple[LevelName, str, float], ...] = (
    ("interval", "conductor", 15.0),
    ("interval", "hpa", 0.2),
    ("batch", "conductor", 300.0),
    ("batch", "hpa", 90.0),
)
DAY_STREAMS = 1000
SWEPT = (
    "conductor", "static", "threshold", "target_tracking", "rolling_quantile",
    "hpa", "ray_serve", "dask", "knative", "dynamo_like",
)  # fmt: skip
SWEEP_STREAMS = 2000
PLANTS, PLANT_STEPS, PPO_STEPS, PPO_PLANTS = 1024, 400, 50_000, 256
VIRTUAL = Calibration(
    arrival_jitter_ms=0.0,
    compute=Compute(
        fixed_ms=0.3,
        per_stream_ms=0.02,
        residuals=Residuals(lognormal(0.15), lognormal(0.15)),
        lateness_ms=Residuals((0.02, 0.03, 0.05, 0.12), (0.02,)),
    ),
)
VIRTUAL_BLOCKS = 30_000
FITTED, HELD_OUT = (
    ((60, 32), (110, 32), (150, 32), (60, 64), (110, 64), (150, 64)),
    (
        (90, 32),
        (130, 64),
        (170, 64),
    ),
)


class Figures(BaseModel):
    """Frozen figures that cross to JSON as they are."""

    model_config = ConfigDict(frozen=True)


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
    """One day of 1,000 streams, the whole loop in it, on one core."""

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


def bench_simulator(
    rounds: int, sweeps: Sequence[tuple[Comparison, float]], progress: Progress
) -> SimulatorReport:
    """Measure everything, in `rounds` interleaved turns; `sweeps` come with their goal, seconds.

    Raises MissingExtraError without the packages to compare with.
    """
    for package, extra in (("simpy", "bench"), ("gymnasium", "rl")):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra)
    kernel = _kernel(rounds)
    progress(0.05)
    levels = (*_batch_level(), *_interval_level())
    progress(0.15)
    learning = _learning(rounds)
    twin = tuple(_twin())
    same = _same_to_the_byte()
    progress(0.25)
    days = tuple(_day(*each, rounds) for each in DAYS)
    progress(0.5)
    swept = []
    for number, (comparison, goal_s) in enumerate(sweeps, start=1):
        swept.append(_sweep(comparison, goal_s))
        progress(0.5 + 0.5 * number / len(sweeps))
    return SimulatorReport(
        machine=describe_machine(),
        kernel=kernel,
        levels=levels,
        days=days,
        learning=learning,
        twin=twin,
        same_to_the_byte=same,
        sweep=tuple(swept),
    )


def sweeps(traces: str, *, full: bool) -> list[tuple[Comparison, float]]:
    """Every node law and the conductor on these traces, and the seconds that may take."""
    found = find_traces(traces)
    spans = [(3.0, 600.0), *([(14.0, 2700.0)] if full else [])]
    return [
        (
            Comparison(
                policies=SWEPT,
                traces=found,
                base=Simulation(
                    SWEPT[0], found[0], peak_streams=SWEEP_STREAMS, last_days=days, knobs=("nodes",)
                ),
                sweep=True,
            ),
            goal_s,
        )
        for days, goal_s in spans
    ]


def _timed(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def _kernel(rounds: int) -> KernelFigures:
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
        simpy.append(blocks / _timed(lambda: play_events(SIMPY_PERIODS)))
        blocks = KERNEL_WORK.streams * KERNEL_PERIODS
        kernel.append(blocks / _timed(lambda: sweep(KERNEL_PERIODS)))
    return KernelFigures(
        simpy_blocks_per_s=Spread.of(simpy),
        kernel_blocks_per_s=Spread.of(kernel),
        ratio=Spread.of([fast / slow for fast, slow in zip(kernel, simpy, strict=True)]),
        identical=identical,
    )


def _works() -> Iterator[tuple[str, Calibration, Work]]:
    for (name, calibration), (batch_size, all_streams) in product(
        PIPELINES.items(), LEVEL_STREAMS.items()
    ):
        for streams in all_streams:
            yield name, calibration, Work(streams, batch_size)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What two levels are compared by."""

    p99_ms: float
    miss_rate: float

    @classmethod
    def of(cls, outcome: Outcome) -> _Seen:
        latency_ms = quantiles(outcome.histogram)
        if latency_ms is None:
            raise ValueError("no block was finished")
        return cls(latency_ms[2], outcome.missed / outcome.blocks)


def _batch_level() -> Iterator[LevelFigures]:
    for name, calibration, work in _works():
        exact, batch = (
            level.advance(NodeState.idle(0), work, LEVEL_PERIODS, seed=1)[1]
            for level in (BlockLevel(calibration), BatchLevel(calibration))
        )
        finer, coarser = _Seen.of(exact), _Seen.of(batch)
        yield _compared("batch", "block", name, work, exact.utilisation, finer, coarser)


def _interval_level() -> Iterator[LevelFigures]:
    for name, calibration, work in _works():
        _, played = BatchLevel(calibration).advance(NodeState.idle(0), work, LEVEL_PERIODS, seed=1)
        law, finer = IntervalLevel(calibration).law(work), _Seen.of(played)
        coarser = _Seen(law.p99_ms, law.miss_rate)
        yield _compared("interval", "batch", name, work, played.utilisation, finer, coarser)


def _compared(
    level: str,
    against: str,
    pipeline: str,
    work: Work,
    utilisation: float,
    finer: _Seen,
    coarser: _Seen,
) -> LevelFigures:
    tells = finer.miss_rate >= FEWEST_MISSES
    return LevelFigures(
        level=level,
        against=against,
        pipeline=pipeline,
        streams=work.streams,
        batch_size=work.batch_size,
        utilisation=utilisation,
        miss_rate=finer.miss_rate,
        p99_error=coarser.p99_ms / finer.p99_ms - 1.0,
        miss_rate_error=coarser.miss_rate / finer.miss_rate - 1.0 if tells else None,
    )


def _day(level: LevelName, policy: str, goal_s: float, rounds: int) -> DayFigures:
    """Each time with nothing remembered of earlier ones; a first, which compiles, goes before."""
    simulation = Simulation(policy, generate("diurnal", 1.0), level=level)
    load = realise(simulation.trace, simulation.step_s, 1, peak_streams=DAY_STREAMS)
    short = generate("diurnal", 0.02)
    run(replace(simulation, trace=short), realise(short, simulation.step_s, 1, peak_streams=50))
    walls_s = []
    for _ in range(rounds if goal_s < 60.0 else 1):
        interval_level.cache_clear()
        walls_s.append(_timed(lambda: run(simulation, load)))
    return DayFigures(
        level=level,
        policy=policy,
        ticks=load.streams.size,
        wall_s=Spread.of(walls_s),
        goal_s=goal_s,
    )


def _learning(rounds: int) -> LearningFigures:
    from simulators.environments.task import CHOICES
    from simulators.environments.vector import PipelineVectorEnv

    plants = PipelineVectorEnv(PLANTS)
    plants.reset(seed=1)
    generator = np.random.default_rng(1)
    actions = generator.integers(0, CHOICES, (PLANT_STEPS, PLANTS, len(CHOICES)))

    def play_all() -> None:
        for each in actions:
            plants.step(each)

    play_all()
    rates = [PLANTS * PLANT_STEPS / _timed(play_all) for _ in range(rounds)]
    return LearningFigures(
        plants=PLANTS, steps_per_s=Spread.of(rates), ppo_steps=PPO_STEPS, ppo_s=_ppo_s()
    )


def _ppo_s() -> float | None:
    if importlib.util.find_spec("stable_baselines3") is None:
        return None
    from simulators.environments.sb3 import untrained

    untrained(PPO_PLANTS, seed=1).learn(PPO_PLANTS * 16)
    agent = untrained(PPO_PLANTS, seed=1)
    return _timed(lambda: agent.learn(PPO_STEPS))


def _twin() -> Iterator[TwinFigures]:
    points = [
        play(VIRTUAL, streams, size, VIRTUAL_BLOCKS, seed)
        for seed, (streams, size) in enumerate(FITTED)
    ]
    calibration = fit(points, VIRTUAL.period_ms, "virtual time")
    for seed, (streams, size) in enumerate(HELD_OUT, start=len(FITTED)):
        point = play(VIRTUAL, streams, size, VIRTUAL_BLOCKS, seed)
        yield _twin_figures(replay(calibration, point, VIRTUAL.period_ms))


def _twin_figures(found: Fidelity) -> TwinFigures:
    p50_error, _, p99_error = found.errors
    return TwinFigures(
        streams=found.streams,
        batch_size=found.batch_size,
        p50_error=p50_error,
        p99_error=p99_error,
        miss_rate=found.measured_miss_rate,
        miss_rate_error=found.miss_rate_error,
    )


def _same_to_the_byte() -> bool:
    simulation = Simulation("conductor", generate("burst", 1.0), peak_streams=DAY_STREAMS)
    one, two = (simulate(simulation).report.model_dump_json(exclude={"wall_s"}) for _ in range(2))
    return one == two


def _sweep(comparison: Comparison, goal_s: float) -> SweepFigures:
    wall_s = _timed(lambda: compare(comparison))
    return SweepFigures(
        traces=len(comparison.traces),
        last_days=comparison.base.last_days or 0.0,
        jobs=sum(1 for _ in comparison.simulations()),
        wall_s=wall_s,
        goal_s=goal_s,
    )


def print_report(report: SimulatorReport, console: Console) -> None:
    """Every figure beside its goal, then each comparison of two levels."""
    table = Table("figure", "measured", "goal", box=None)
    for row in _lines(report):
        table.add_row(*row)
    console.print(table)
    console.print(_levels_table(report))
    console.print(f"\n{report.machine}")


def _lines(report: SimulatorReport) -> Iterator[tuple[str, str, str]]:
    kernel, learning = report.kernel, report.learning
    yield "event simulation, blocks a second", _spread(kernel.simpy_blocks_per_s, ",.0f"), ""
    yield "exact kernel, blocks a second", _spread(kernel.kernel_blocks_per_s, ",.0f"), ""
    yield (
        "kernel / event simulation",
        _spread(kernel.ratio, ".0f"),
        at_least(kernel.ratio.median, 100),
    )
    yield "the same to the last bit", _yes(kernel.identical), judged("yes", kernel.identical)
    for level, against, p99, miss in (
        ("batch", "block", 0.02, 0.15),
        ("interval", "batch", 0.05, 0.3),
    ):
        found = [each for each in report.levels if each.level == level]
        worst_p99, worst_miss = _worst(found)
        name = f"{level} against {against} level, worst"
        yield f"{name} p99", f"{worst_p99:+.1%}", within(worst_p99, p99)
        yield f"{name} miss rate", _error(worst_miss), within(worst_miss, miss)
    for day in report.days:
        name = f"a day, {day.level} level, {day.policy}, s"
        yield name, _spread(day.wall_s, ".2f"), at_most(day.wall_s.median, day.goal_s)
    steps_per_s = learning.steps_per_s
    fast = at_least(steps_per_s.median, 100_000)
    yield "plant steps a second", _spread(steps_per_s, ",.0f"), fast
    ppo = "stable-baselines3 is not installed"
    if learning.ppo_s is not None:
        ppo = f"{learning.ppo_s:.1f}"
    yield f"PPO, {learning.ppo_steps:,} steps, s", ppo, at_most(learning.ppo_s, 15)
    for twin in report.twin:
        name = f"twin, {twin.streams} streams in {twin.batch_size}s"
        yield f"{name}, p99", f"{twin.p99_error:+.1%}", within(twin.p99_error, 0.02)
        if twin.miss_rate_error is not None:
            missed = f"{twin.miss_rate_error:+.0%} of {twin.miss_rate:.3%}"
            yield f"{name}, miss rate", missed, within(twin.miss_rate_error, 0.2)
    yield (
        "simulated twice, the same to the byte",
        _yes(report.same_to_the_byte),
        judged("yes", report.same_to_the_byte),
    )
    for sweep in report.sweep:
        name = f"sweep of {sweep.jobs} runs, {sweep.traces} traces of {sweep.last_days:g} days, min"
        yield name, f"{sweep.wall_s / 60.0:.1f}", at_most(sweep.wall_s / 60.0, sweep.goal_s / 60.0)


def _levels_table(report: SimulatorReport) -> Table:
    heads = ("level", "pipeline", "streams", "batch", "busy", "missed", "p99", "miss rate")
    table = Table(box=None)
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < 2 else "right")
    for each in report.levels:
        table.add_row(
            f"{each.level} / {each.against}",
            each.pipeline,
            str(each.streams),
            str(each.batch_size),
            f"{each.utilisation:.0%}",
            f"{each.miss_rate:.4%}",
            f"{each.p99_error:+.1%}",
            _error(each.miss_rate_error),
        )
    return table


def _worst(levels: Sequence[LevelFigures]) -> tuple[float, float | None]:
    """The largest errors either way, of p99 and of the miss rate; None where too few missed."""
    p99 = max((each.p99_error for each in levels), key=abs)
    told = [each.miss_rate_error for each in levels if each.miss_rate_error is not None]
    return p99, max(told, key=abs, default=None)


def _spread(spread: Spread, form: str) -> str:
    if spread.lowest == spread.highest:
        return f"{spread.median:{form}}"
    return f"{spread.median:{form}} ({spread.lowest:{form}} to {spread.highest:{form}})"


def _error(share: float | None) -> str:
    return "-" if share is None else f"{share:+.0%}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
