"""The jobs of a comparison: one simulation each, or the oracle of one load."""

from __future__ import annotations

import hashlib
import itertools
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from controller import plugins
from controller.errors import KapellmeisterError, OracleFailure
from controller.load.trace import LoadTrace
from simulators.comparison.figures import JobFigures, OracleJob
from simulators.comparison.request import Comparison
from simulators.comparison.rows import encoded, rows_path, trace_hash
from simulators.jobs.job import Progress
from simulators.run import run
from simulators.simulate import oracles
from simulators.simulation import Simulation
from simulators.timeline import Rows


@dataclass(frozen=True, slots=True)
class Finished:
    """The outcome of a job: figures, and the Parquet file of its rows where it keeps them."""

    figures: JobFigures | OracleJob
    rows: bytes | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A simulation to play, under the key of its result; `rows` is where its steps go."""

    key: str
    compute: Callable[[Simulation], tuple[JobFigures | OracleJob, Rows]]
    simulation: Simulation
    rows: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """Files of the policy and the forecaster, where they are not installed."""
        names = self.simulation.policy, self.simulation.forecaster
        return tuple(path for path in map(plugins.file_of, names) if path is not None)

    def play(self, progress: Progress) -> Finished:
        """Its figures, and its rows where they are kept. Raises MissingExtraError for those."""
        figures, rows = self.compute(self.simulation)
        progress(1.0)
        return Finished(figures, encoded(rows, self.key) if self.rows and rows else None)

    def ended(self) -> Finished:
        """The outcome where the process that played it ended. Raises OracleFailure."""
        if self.compute is play_oracle:
            raise OracleFailure(str(self.simulation.trace.where))
        return Finished(failed(self.simulation, "the policy ended the process that it ran in"))


def jobs_of(comparison: Comparison) -> Iterator[Job]:
    """The oracles first, then the simulations."""
    folder = comparison.rows
    for trace, seed in itertools.product(comparison.traces, comparison.seeds):
        simulation = replace(comparison.base, trace=trace, seed=seed)
        rows = None if folder is None else rows_path(folder, trace.name, seed, None)
        yield Job(_key("oracle", simulation), play_oracle, simulation, rows)
    for each in comparison.simulations():
        rows = None
        if folder is not None and not each.constants:
            rows = rows_path(folder, each.trace.name, each.seed, each.policy)
        yield Job(_key("job", each), play_job, each, rows)


def play_job(simulation: Simulation) -> tuple[JobFigures, Rows]:
    """One simulation, without its oracle; a policy's failure is a result, without rows."""
    try:
        timeline = run(simulation, simulation.load())
    except KapellmeisterError as error:
        return failed(simulation, str(error)), {}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a policy may fail in any way
        return failed(simulation, f"raised {error!r}"), {}
    counts = timeline.counts()
    figures = JobFigures(
        **_named(simulation),
        knobs=tuple(sorted(timeline.knobs)),
        blocks=counts.submitted,
        missed=counts.missed,
        node_hours=timeline.node_hours(),
    )
    return figures, timeline.rows()


def failed(simulation: Simulation, error: str) -> JobFigures:
    """The figures of a simulation that came to nothing."""
    return JobFigures(**_named(simulation), error=error)


def _named(simulation: Simulation) -> dict[str, Any]:
    return {
        "policy": simulation.policy,
        "setting": dict(simulation.constants),
        "trace": simulation.trace.name,
        "seed": simulation.seed,
    }


def play_oracle(simulation: Simulation) -> tuple[OracleJob, Rows]:
    """The oracle of one load: what one who knows it would pay."""
    load = simulation.load()
    delayed, instant = oracles(simulation, load)
    nodes = {"nodes": delayed.nodes, "nodes_instant": instant.nodes}
    columns = {"time_s": load.time_s, "load": load.streams, **nodes, "scored": load.scored}
    name, seed = simulation.trace.name, simulation.seed
    return OracleJob(trace=name, seed=seed, node_hours=delayed.node_hours), columns


def _key(kind: str, simulation: Simulation) -> str:
    """A hash of all that a result depends on: the same key means the same figures."""
    trace = simulation.trace
    samples = trace_hash(trace)
    plain = replace(simulation, trace=LoadTrace(trace.name, (0.0,), (0.0,)))
    versions = platform.python_version(), np.__version__, metadata.version("kapellmeister")
    told = (kind, samples, repr(plain), _code(simulation.policy), versions)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:24]


def _code(policy: str) -> str:
    """A hash of the file that a policy lies in; nothing for one that is installed."""
    path = plugins.file_of(policy)
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
