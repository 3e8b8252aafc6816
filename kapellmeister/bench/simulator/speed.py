"""Wall time of a simulated day and of a sweep, and whether a day comes out the same twice."""

from __future__ import annotations

from dataclasses import replace

from kapellmeister.bench.simulator.figures import DayFigures, SweepFigures
from kapellmeister.bench.simulator.stopwatch import timed
from kapellmeister.bench.spread import Spread
from kapellmeister.experiments.compare import find_traces
from simulators.comparison.comparison import compare
from simulators.comparison.request import Comparison
from simulators.levels.capacity import interval_level
from simulators.levels.level import LevelName
from simulators.loads.generators import generate
from simulators.loads.load_path import realise
from simulators.run import run
from simulators.simulate import simulate
from simulators.simulation import Simulation

DAYS: tuple[tuple[LevelName, str, float], ...] = (
    ("interval", "conductor", 15.0),
    ("interval", "hpa", 0.2),
    ("batch", "conductor", 300.0),
    ("batch", "hpa", 90.0),
)
"""Level, policy, and the seconds that a day may take."""
DAY_STREAMS = 1000
SWEPT = (
    "conductor", "static", "threshold", "target_tracking", "rolling_quantile",
    "hpa", "ray_serve", "dask", "knative", "dynamo_like",
)  # fmt: skip
SWEEP_STREAMS = 2000


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


def sweep(comparison: Comparison, goal_s: float) -> SweepFigures:
    """Play a comparison, whose goal is in seconds."""
    wall_s = timed(lambda: compare(comparison))
    return SweepFigures(
        traces=len(comparison.traces),
        last_days=comparison.base.last_days or 0.0,
        jobs=sum(1 for _ in comparison.simulations()),
        wall_s=wall_s,
        goal_s=goal_s,
    )


def day(level: LevelName, policy: str, goal_s: float, rounds: int) -> DayFigures:
    """Play a day in so many rounds, of a goal above a minute only once.

    Each time with nothing remembered of earlier ones; a first, which compiles, goes before.
    """
    simulation = Simulation(policy, generate("diurnal", 1.0), level=level)
    load = realise(simulation.trace, simulation.step_s, 1, peak_streams=DAY_STREAMS)
    short = generate("diurnal", 0.02)
    run(replace(simulation, trace=short), realise(short, simulation.step_s, 1, peak_streams=50))
    walls_s = []
    for _ in range(rounds if goal_s < 60.0 else 1):
        interval_level.cache_clear()
        walls_s.append(timed(lambda: run(simulation, load)))
    return DayFigures(
        level=level,
        policy=policy,
        ticks=load.streams.size,
        wall_s=Spread.of(walls_s),
        goal_s=goal_s,
    )


def same_to_the_byte() -> bool:
    """Whether a day that is simulated twice gives the same report."""
    simulation = Simulation("conductor", generate("burst", 1.0), peak_streams=DAY_STREAMS)
    one, two = (simulate(simulation).report.model_dump_json(exclude={"wall_s"}) for _ in range(2))
    return one == two
