"""What plays the jobs of an experiment: this machine, or a Dask cluster."""

from __future__ import annotations

from controller.errors import ConfigurationError
from simulators.jobs.job import JobExecutor

LOCAL = "local"


def job_executor(
    dask: str | None, otherwise: JobExecutor, workers: int | None = None
) -> JobExecutor:
    """The Dask cluster at that address, or one of so many workers here; without, the other.

    Raises MissingExtraError where distributed is not installed, ConfigurationError for a number
    of workers beside an address.
    """
    if dask is None:
        return otherwise
    from simulators.jobs.dask.executor import DaskCluster, LocalDaskCluster

    if dask == LOCAL:
        return LocalDaskCluster(workers)
    if workers is not None:
        why = "the cluster has the workers that it has"
        raise ConfigurationError("command line", "--jobs", why, f"leave it out with --dask {dask}")
    return DaskCluster(dask)
