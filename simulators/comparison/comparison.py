"""Policies on the same loads: costs and misses, side by side and against the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from controller import plugins
from simulators.comparison.figures import ComparisonReport
from simulators.comparison.jobs import jobs_of
from simulators.comparison.pool import play_all
from simulators.comparison.request import Comparison
from simulators.comparison.results import Results
from simulators.comparison.rows import keep_rows
from simulators.comparison.summary import summed_up


def compare(
    comparison: Comparison, progress: Callable[[float], None] = lambda _: None
) -> ComparisonReport:
    """Play all of it on all cores, and sum it up.

    A policy that fails is marked with its error and the rest is finished. Raises
    KapellmeisterError for a policy that does not exist, and OracleFailure for an oracle whose
    process was ended.
    """
    for policy in comparison.policies:
        plugins.find("policies", policy)
    jobs = tuple(jobs_of(comparison))
    results = Results.read(_results_path(comparison), frozenset(job.key for job in jobs))
    if comparison.rows is not None:
        keep_rows(comparison.rows, {job.rows: job.key for job in jobs if job.rows is not None})
    play_all(jobs, results, comparison.jobs, progress)
    keys = [job.key for job in jobs]
    played = [results.jobs[key] for key in keys if key in results.jobs]
    oracles = [results.oracles[key] for key in keys if key in results.oracles]
    return summed_up(comparison, played, oracles)


def _results_path(comparison: Comparison) -> Path | None:
    if comparison.cache is None:
        return None
    comparison.cache.mkdir(parents=True, exist_ok=True)
    return comparison.cache / "jobs.jsonl"
