"""The whole of `bench simulator`, measured side by side in one run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence

from controller.errors import MissingExtraError
from kapellmeister.bench.simulator.figures import SimulatorReport
from kapellmeister.bench.simulator.kernel import compare_kernel
from kapellmeister.bench.simulator.learning import learning
from kapellmeister.bench.simulator.levels import batch_beside_block, interval_beside_batch
from kapellmeister.bench.simulator.speed import DAYS, day, same_to_the_byte, sweep
from kapellmeister.bench.simulator.twin import twin
from kapellmeister.machine.description import describe_machine
from simulators.comparison.request import Comparison


def bench_simulator(
    rounds: int,
    sweeps: Sequence[tuple[Comparison, float]],
    progress: Callable[[float], None],
) -> SimulatorReport:
    """Measure everything, in `rounds` interleaved turns; `sweeps` come with their goal, seconds.

    Raises MissingExtraError without the packages to compare with.
    """
    for package, extra in (("simpy", "bench"), ("gymnasium", "rl")):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra)
    kernel = compare_kernel(rounds)
    progress(0.05)
    levels = (*batch_beside_block(), *interval_beside_batch())
    progress(0.15)
    learned, fitted, same = learning(rounds), tuple(twin()), same_to_the_byte()
    progress(0.25)
    days = tuple(day(*each, rounds) for each in DAYS)
    progress(0.5)
    swept = []
    for number, (comparison, goal_s) in enumerate(sweeps, start=1):
        swept.append(sweep(comparison, goal_s))
        progress(0.5 + 0.5 * number / len(sweeps))
    return SimulatorReport(
        machine=describe_machine(),
        kernel=kernel,
        levels=levels,
        days=days,
        learning=learned,
        twin=fitted,
        same_to_the_byte=same,
        sweep=tuple(swept),
    )
