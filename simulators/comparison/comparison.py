"""Policies on the same loads: costs and misses, side by side and against the oracle."""

from __future__ import annotations

from pathlib import Path

from controller import plugins
from simulators.comparison.figures import ComparisonReport
from simulators.comparison.jobs import Finished, Job, jobs_of
from simulators.comparison.request import Comparison
from simulators.comparison.results import Results
from simulators.comparison.rows import keep_rows
from simulators.comparison.summary import summed_up
from simulators.jobs.job import Ended, JobExecutor, Progress, unseen
from simulators.jobs.processes import Processes

ALL_CORES = Processes()


def compare(
    comparison: Comparison, progress: Progress = unseen, executor: JobExecutor = ALL_CORES
) -> ComparisonReport:
    """Have the executor play all that has no result yet, and sum it up.

    A policy that fails, or ends its process, is marked with its error and the rest is finished.
    Raises KapellmeisterError for a policy that does not exist, OracleFailure for an oracle whose
    process was ended, and what the executor raises.
    """
    for policy in comparison.policies:
        plugins.find("policies", policy)
    jobs = tuple(jobs_of(comparison))
    results = Results.read(_results_path(comparison), frozenset(job.key for job in jobs))
    if comparison.rows is not None:
        keep_rows(comparison.rows, {job.rows: job.key for job in jobs if job.rows is not None})
    _play(jobs, results, progress, executor)
    keys = [job.key for job in jobs]
    played = [results.jobs[key] for key in keys if key in results.jobs]
    oracles = [results.oracles[key] for key in keys if key in results.oracles]
    return summed_up(comparison, played, oracles)


def _play(
    jobs: tuple[Job, ...], results: Results, progress: Progress, executor: JobExecutor
) -> None:
    """Play the jobs that have no result yet, and keep each at once."""
    todo = tuple(job for job in jobs if not results.has(job))
    before = len(jobs) - len(todo)

    def take(number: int, outcome: Finished | Ended) -> None:
        job = todo[number]
        results.add(job, job.ended() if isinstance(outcome, Ended) else outcome)

    executor.play(todo, take, lambda part: progress((before + part * len(todo)) / len(jobs)))


def _results_path(comparison: Comparison) -> Path | None:
    if comparison.cache is None:
        return None
    comparison.cache.mkdir(parents=True, exist_ok=True)
    return comparison.cache / "jobs.jsonl"
