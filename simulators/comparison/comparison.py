"""Policies on the same loads: costs and misses, side by side and against the oracle."""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
import math
import multiprocessing
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from controller import plugins
from controller.errors import KapellmeisterError, OracleFailure, PlugInError
from controller.linux.prctl import die_with_parent
from controller.load.trace import LoadTrace
from simulators.comparison.rows import is_written, keep_rows, rows_path, trace_hash, write_rows
from simulators.loads.splits import family
from simulators.run import run
from simulators.simulate import oracles
from simulators.simulation import Simulation

RESAMPLES = 2000
CONFIDENCE = 0.95


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JobFigures(_Figures):
    """One policy at one setting on one load, over the scored steps; `error` where it failed."""

    policy: str
    setting: dict[str, float]
    trace: str
    seed: int
    knobs: tuple[str, ...] = ()
    blocks: int = 0
    missed: int = 0
    node_hours: float = 0.0
    error: str | None = None


class OracleJob(_Figures):
    """What the oracle pays for one load."""

    trace: str
    seed: int
    node_hours: float


class TraceFigures(_Figures):
    """One policy on one trace, all seeds together; None where nothing was played."""

    miss_rate: float | None
    cost_vs_oracle: float | None
    blocks: int = 0


class SettingFigures(_Figures):
    """One setting on all traces: misses pooled, the worst trace, and the mean cost."""

    setting: dict[str, float]
    miss_rate: float | None
    worst_miss_rate: float | None
    cost_vs_oracle: float | None


class DefaultFigures(SettingFigures):
    """The setting that a policy ships with; `ci95` is of the cost, over traces."""

    ci95: tuple[float, float] | None
    traces: dict[str, TraceFigures]


class PolicyFigures(_Figures):
    """One policy; the swept figures are None where no setting reaches the target."""

    knobs: tuple[str, ...]
    default: DefaultFigures | None = None
    one_setting: SettingFigures | None = None
    hindsight: dict[str, float | None] | None = None
    settings: tuple[SettingFigures, ...] = ()
    versus_first: dict[str, tuple[float, float, float]] | None = None
    error: str | None = None


class ComparisonReport(_Figures):
    """All policies on all traces. Costs are relative to the delayed oracle's on each load.

    `versus_first` holds, for the cost and the miss rate, the mean difference from the first
    policy on the same loads and its 95 % interval. As in the figures of a policy, each trace
    counts alike in the cost, and by its blocks in the miss rate.
    """

    policies: dict[str, PolicyFigures]
    traces: tuple[str, ...]
    seeds: tuple[int, ...]
    target_miss_rate: float
    level: str
    swept: bool
    interval_s: float
    last_days: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to compare. `base` holds all that the simulations have in common.

    `cache` is a folder in which every finished job is kept, so that an interrupted comparison
    goes on where it was; `rows` one in which every step of the default settings is kept.
    `jobs` is how many processes work at once.
    """

    policies: tuple[str, ...]
    traces: tuple[LoadTrace, ...]
    base: Simulation
    seeds: tuple[int, ...] = (1,)
    sweep: bool = False
    cache: Path | None = None
    rows: Path | None = None
    jobs: int | None = None

    def simulations(self) -> Iterator[Simulation]:
        """Every policy at every setting on every load."""
        for trace, seed, policy in itertools.product(self.traces, self.seeds, self.policies):
            for setting in self.settings(policy):
                yield replace(self.base, policy=policy, trace=trace, seed=seed, constants=setting)

    def settings(self, policy: str) -> tuple[Mapping[str, float], ...]:
        """The setting it ships with, and those that its class names for a sweep."""
        made = plugins.find("policies", policy)
        swept: Mapping[str, Sequence[float]] = getattr(made, "SWEEP", {}) if self.sweep else {}
        if not swept or plugins.constants_in("policies", policy):
            return ({},)
        arguments = inspect.signature(made).parameters
        if not isinstance(swept, Mapping) or not set(swept) <= set(arguments):
            why = f"SWEEP must name arguments of its constructor ({', '.join(arguments) or 'none'})"
            raise PlugInError("policy", policy, why, plugins.names("policies"))
        for name, values in swept.items():
            if not _are_numbers(values):
                why = f"SWEEP must give a list of numbers for {name}, not {values!r}"
                raise PlugInError("policy", policy, why, plugins.names("policies"))
        combined = itertools.product(*swept.values())
        settings = [dict(zip(swept, values, strict=True)) for values in combined]
        ships_with = {name: arguments[name].default for name in swept}
        return ({}, *(each for each in settings if each != ships_with))


def _are_numbers(values: object) -> bool:
    return (
        isinstance(values, Sequence)
        and bool(values)
        and all(
            isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
            for each in values
        )
    )


@dataclass(slots=True)
class _Results:
    """What is known so far; kept in a file, one line a job."""

    path: Path | None
    jobs: dict[str, JobFigures] = field(default_factory=dict)
    references: dict[str, OracleJob] = field(default_factory=dict)

    def load(self) -> None:
        """Read what an earlier run finished; a line that was cut off is done again."""
        if self.path is None or not self.path.exists():
            return
        text = self.path.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError):
                continue
        if text and not text.endswith("\n"):
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n")

    def _take(self, entry: dict[str, Any]) -> None:
        if "job" in entry:
            self.jobs[entry["key"]] = JobFigures.model_validate(entry["job"])
        else:
            self.references[entry["key"]] = OracleJob.model_validate(entry["oracle"])

    def has(self, job: _Job) -> bool:
        """Whether the job is done, and its rows are there as far as it has any.

        What failed is tried again: the machine may have been the reason.
        """
        played = self.jobs.get(job.key)
        if played is not None and played.error is not None:
            return False
        known = played is not None or job.key in self.references
        return known and (job.rows is None or is_written(job.rows, job.key))

    def add(self, key: str, figures: JobFigures | OracleJob) -> None:
        """Keep one result, at once."""
        kind = "job" if isinstance(figures, JobFigures) else "oracle"
        if isinstance(figures, JobFigures):
            self.jobs[key] = figures
        else:
            self.references[key] = figures
        if self.path is not None:
            line = json.dumps({"key": key, kind: figures.model_dump()})
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def compare(
    comparison: Comparison, progress: Callable[[float], None] = lambda _: None
) -> ComparisonReport:
    """Play all of it on all cores, and sum it up.

    A policy that fails is marked with its error and the rest is finished. Raises
    KapellmeisterError for a policy that does not exist.
    """
    for policy in comparison.policies:
        plugins.find("policies", policy)
    results = _Results(_results_path(comparison))
    results.load()
    _play(comparison, results, progress)
    keys = [job.key for job in _jobs(comparison)]
    jobs = [results.jobs[key] for key in keys if key in results.jobs]
    references = [results.references[key] for key in keys if key in results.references]
    return summed_up(comparison, jobs, references)


def _results_path(comparison: Comparison) -> Path | None:
    if comparison.cache is None:
        return None
    comparison.cache.mkdir(parents=True, exist_ok=True)
    return comparison.cache / "jobs.jsonl"


def _play(comparison: Comparison, results: _Results, progress: Callable[[float], None]) -> None:
    jobs = list(_jobs(comparison))
    wanted = {job.key for job in jobs}
    results.jobs = {key: each for key, each in results.jobs.items() if key in wanted}
    results.references = {k: each for k, each in results.references.items() if k in wanted}
    todo = [job for job in jobs if not results.has(job)]
    if comparison.rows is not None:
        keep_rows(comparison.rows, {job.rows: job.key for job in jobs if job.rows is not None})
    context = multiprocessing.get_context("spawn")
    while todo:
        pool = ProcessPoolExecutor(
            comparison.jobs, context, initializer=_end_with, initargs=(os.getpid(),)
        )
        with _deaf_to_ctrl_c():
            running = {
                pool.submit(job.play, job.simulation, job.key, job.rows): job for job in todo
            }
        try:
            for future in as_completed(running):
                results.add(running[future].key, future.result())
                todo.remove(running[future])
                progress(1.0 - len(todo) / len(jobs))
        except BrokenProcessPool:
            todo = _without_the_breaker(todo, results, context)
        except BaseException:
            _end(pool)
            raise
        pool.shutdown()


def _without_the_breaker(
    todo: list[_Job], results: _Results, context: multiprocessing.context.SpawnContext
) -> list[_Job]:
    """Play the jobs one at a time until the one that ends its process; mark that as failed."""
    for number, job in enumerate(todo):
        with ProcessPoolExecutor(1, context, _end_with, (os.getpid(),)) as pool:
            try:
                with _deaf_to_ctrl_c():
                    played = pool.submit(job.play, job.simulation, job.key, job.rows)
                figures = played.result()
            except BrokenProcessPool:
                if job.play is play_oracle:
                    raise OracleFailure(str(job.simulation.trace.where)) from None
                error = "the policy ended the process that it ran in"
                results.add(job.key, _failed(job.simulation, error))
                return todo[number + 1 :]
            results.add(job.key, figures)
    return []


def _end(pool: ProcessPoolExecutor) -> None:
    """Leave no worker at work: what it does will never be asked for."""
    pool.shutdown(wait=False, cancel_futures=True)
    for process in multiprocessing.active_children():
        process.kill()


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started in here never hear it, not even while they load: we end them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(parent: int) -> None:
    """In a worker: end when the parent does, also where it has ended, and print beside results."""
    sys.stdout = sys.stderr
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


@dataclass(frozen=True, slots=True)
class _Job:
    """One simulation to play, under the key of its result; `rows` is where its steps go."""

    key: str
    play: Callable[[Simulation, str, Path | None], JobFigures | OracleJob]
    simulation: Simulation
    rows: Path | None


def _jobs(comparison: Comparison) -> Iterator[_Job]:
    """The oracles first, then the simulations."""
    folder = comparison.rows
    for trace, seed in itertools.product(comparison.traces, comparison.seeds):
        simulation = replace(comparison.base, trace=trace, seed=seed)
        rows = None if folder is None else rows_path(folder, trace.name, seed, None)
        yield _Job(_key("oracle", simulation), play_oracle, simulation, rows)
    for each in comparison.simulations():
        rows = None
        if folder is not None and not each.constants:
            rows = rows_path(folder, each.trace.name, each.seed, each.policy)
        yield _Job(_key("job", each), play_job, each, rows)


def play_job(simulation: Simulation, key: str, rows: Path | None) -> JobFigures:
    """One simulation, without its oracle; a policy's failure is a result."""
    try:
        timeline = run(simulation, simulation.load())
    except KapellmeisterError as error:
        return _failed(simulation, str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a policy may fail in any way
        return _failed(simulation, f"raised {error!r}")
    if rows is not None:
        write_rows(rows, timeline.rows(), key)
    counts = timeline.counts()
    return JobFigures(
        **_named(simulation),
        knobs=tuple(sorted(timeline.knobs)),
        blocks=counts.submitted,
        missed=counts.missed,
        node_hours=timeline.node_hours(),
    )


def _failed(simulation: Simulation, error: str) -> JobFigures:
    return JobFigures(**_named(simulation), error=error)


def _named(simulation: Simulation) -> dict[str, Any]:
    return {
        "policy": simulation.policy,
        "setting": dict(simulation.constants),
        "trace": simulation.trace.name,
        "seed": simulation.seed,
    }


def play_oracle(simulation: Simulation, key: str, rows: Path | None) -> OracleJob:
    """What who knows the load would pay for it."""
    load = simulation.load()
    delayed, instant = oracles(simulation, load)
    if rows is not None:
        nodes = {"nodes": delayed.nodes, "nodes_instant": instant.nodes}
        columns = {"time_s": load.time_s, "load": load.streams, **nodes, "scored": load.scored}
        write_rows(rows, columns, key)
    return OracleJob(
        trace=simulation.trace.name, seed=simulation.seed, node_hours=delayed.node_hours
    )


def _key(kind: str, simulation: Simulation) -> str:
    """What a result depends on, as a hash: the same key means the same figures."""
    trace = simulation.trace
    samples = trace_hash(trace)
    plain = replace(simulation, trace=LoadTrace(trace.name, (0.0,), (0.0,)))
    versions = platform.python_version(), np.__version__, metadata.version("kapellmeister")
    told = (kind, samples, repr(plain), _code(simulation.policy), versions)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:24]


def _code(policy: str) -> str:
    """What a policy that lies in a file is made of; nothing for one that is installed."""
    path = Path(policy.partition(".py:")[0] + ".py" if ".py:" in policy else policy[4:])
    named = ".py:" in policy or policy.startswith(plugins.TRAINED)
    return hashlib.sha256(path.read_bytes()).hexdigest() if named and path.is_file() else ""


def summed_up(comparison: Comparison, jobs: Any, references: Any) -> ComparisonReport:
    """The report of finished jobs."""
    oracle = {(each.trace, each.seed): each.node_hours for each in references}
    by_policy: dict[str, list[JobFigures]] = {name: [] for name in comparison.policies}
    for job in jobs:
        by_policy[job.policy].append(job)
    target = comparison.base.target_miss_rate
    figures = {
        name: _policy(done, oracle, target, comparison.sweep) for name, done in by_policy.items()
    }
    first = figures[comparison.policies[0]].default
    for name in comparison.policies[1:]:
        versus = _versus(figures[name].default, first)
        figures[name] = figures[name].model_copy(update={"versus_first": versus})
    return ComparisonReport(
        policies=figures,
        traces=tuple(trace.name for trace in comparison.traces),
        seeds=comparison.seeds,
        target_miss_rate=target,
        level=comparison.base.level,
        swept=comparison.sweep,
        interval_s=comparison.base.step_s,
        last_days=comparison.base.last_days,
    )


def _policy(
    jobs: Sequence[JobFigures],
    oracle: Mapping[tuple[str, int], float],
    target: float,
    swept: bool,
) -> PolicyFigures:
    knobs = tuple(sorted({knob for job in jobs for knob in job.knobs}))
    errors = [job.error for job in jobs if job.error is not None]
    if errors:
        return PolicyFigures(knobs=knobs, error=errors[0])
    by_setting: dict[str, list[JobFigures]] = {}
    for job in jobs:
        by_setting.setdefault(json.dumps(job.setting, sort_keys=True), []).append(job)
    per_trace = {key: _per_trace(each, oracle) for key, each in by_setting.items()}
    settings = {
        key: _setting(each[0].setting, each, per_trace[key]) for key, each in by_setting.items()
    }
    default, traces = settings["{}"], per_trace["{}"]
    costs = {name: t.cost_vs_oracle for name, t in traces.items() if t.cost_vs_oracle is not None}
    described = DefaultFigures(**default.model_dump(), ci95=interval(costs), traces=traces)
    if not swept:
        return PolicyFigures(knobs=knobs, default=described)
    return PolicyFigures(
        knobs=knobs,
        default=described,
        one_setting=_cheapest(settings.values(), target),
        hindsight={name: _hindsight(name, per_trace.values(), target) for name in traces},
        settings=tuple(settings.values()),
    )


def _per_trace(
    jobs: Sequence[JobFigures], oracle: Mapping[tuple[str, int], float]
) -> dict[str, TraceFigures]:
    traces: dict[str, list[JobFigures]] = {}
    for job in jobs:
        traces.setdefault(job.trace, []).append(job)
    return {
        name: TraceFigures(
            miss_rate=_rate(each),
            cost_vs_oracle=_ratio(
                sum(job.node_hours for job in each),
                sum(oracle[job.trace, job.seed] for job in each),
            ),
            blocks=sum(job.blocks for job in each),
        )
        for name, each in traces.items()
    }


def _setting(
    setting: dict[str, float], jobs: Sequence[JobFigures], traces: Mapping[str, TraceFigures]
) -> SettingFigures:
    rates = [each.miss_rate for each in traces.values() if each.miss_rate is not None]
    costs = [each.cost_vs_oracle for each in traces.values() if each.cost_vs_oracle is not None]
    return SettingFigures(
        setting=setting,
        miss_rate=_rate(jobs),
        worst_miss_rate=max(rates, default=None),
        cost_vs_oracle=fmean(costs) if costs else None,
    )


def _cheapest(settings: Any, target: float) -> SettingFigures | None:
    """The cheapest setting that meets the target, all traces together."""
    meeting = [
        each
        for each in settings
        if each.miss_rate is not None and each.miss_rate <= target and each.cost_vs_oracle
    ]
    return min(meeting, key=lambda each: each.cost_vs_oracle, default=None)


def _hindsight(name: str, settings: Any, target: float) -> float | None:
    """The least cost on one trace of a setting that meets the target there."""
    costs = [
        each[name].cost_vs_oracle
        for each in settings
        if each[name].miss_rate is not None
        and each[name].miss_rate <= target
        and each[name].cost_vs_oracle is not None
    ]
    return min(costs, default=None)


def _rate(jobs: Sequence[JobFigures]) -> float | None:
    return _ratio(sum(job.missed for job in jobs), sum(job.blocks for job in jobs))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def interval(
    values: Mapping[str, float], weights: Mapping[str, float] | None = None
) -> tuple[float, float] | None:
    """The 95 % interval of the mean over traces: a bootstrap of families, then of their traces.

    None of fewer than two traces, of which nothing can be said (Efron and Tibshirani, 1993).
    """
    if len(values) < 2:
        return None
    families: dict[str, list[int]] = {}
    for number, name in enumerate(values):
        families.setdefault(family(name), []).append(number)
    groups = [np.array(each) for each in families.values()]
    figures = np.array(list(values.values()))
    weight = np.array([1.0 if weights is None else weights[name] for name in values])
    generator = np.random.default_rng(0)
    means = np.empty(RESAMPLES)
    for sample in range(RESAMPLES):
        chosen = generator.integers(0, len(groups), len(groups))
        drawn = np.concatenate(
            [groups[k][generator.integers(0, groups[k].size, groups[k].size)] for k in chosen]
        )
        means[sample] = np.average(figures[drawn], weights=weight[drawn])
    low, high = np.quantile(means, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(low), float(high)


def _versus(
    own: DefaultFigures | None, first: DefaultFigures | None
) -> dict[str, tuple[float, float, float]] | None:
    """Mean difference and interval, trace by trace; None where either policy failed."""
    if own is None or first is None:
        return None
    blocks = {name: float(each.blocks) for name, each in own.traces.items()}
    alike = dict.fromkeys(blocks, 1.0)
    versus = {}
    for quantity, weights in (("cost_vs_oracle", alike), ("miss_rate", blocks)):
        pairs = {
            name: (getattr(own.traces[name], quantity), getattr(first.traces[name], quantity))
            for name in own.traces
        }
        differences = {name: a - b for name, (a, b) in pairs.items() if None not in (a, b)}
        bounds = interval(differences, weights)
        if bounds is not None:
            mean = fmean(differences.values(), [weights[name] for name in differences])
            versus[quantity] = (mean, *bounds)
    return versus
