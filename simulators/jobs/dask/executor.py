"""Jobs played by the workers of a Dask cluster; those of a lost worker are played again."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from controller.errors import DaskError, MissingExtraError
from simulators.jobs.dask.client import connected
from simulators.jobs.dask.environment import Environment
from simulators.jobs.dask.local_cluster import local_cluster
from simulators.jobs.dask.package import distributed
from simulators.jobs.dask.worker import end, play
from simulators.jobs.job import Ended, Job, Progress, Result
from simulators.jobs.outcome import unpacked


@dataclass(frozen=True, slots=True)
class DaskCluster:
    """Plays jobs on all workers of the scheduler at `address`, one for each of their threads."""

    address: str

    def __post_init__(self) -> None:
        check_installed()

    def play(
        self,
        jobs: tuple[Job[Result], ...],
        take: Callable[[int, Result | Ended], None],
        progress: Progress,
    ) -> None:
        """Play all jobs. Raises DaskError where the cluster cannot, or can no longer."""
        if jobs:
            with connected(self.address) as client:
                _play(client, self.address, jobs, take, progress)


@dataclass(frozen=True, slots=True)
class LocalDaskCluster:
    """Plays jobs on a cluster of this machine that lasts as long as they do."""

    workers: int | None = None

    def __post_init__(self) -> None:
        check_installed()

    def play(
        self,
        jobs: tuple[Job[Result], ...],
        take: Callable[[int, Result | Ended], None],
        progress: Progress,
    ) -> None:
        """Play all jobs. Raises DaskError where there is no such cluster."""
        if jobs:
            with local_cluster(self.workers) as address:
                DaskCluster(address).play(jobs, take, progress)


def check_installed() -> None:
    """Raise MissingExtraError where distributed is not: before any work, and without its import."""
    if find_spec("distributed") is None:
        raise MissingExtraError("distributed", "dask")


def _play(
    client: Any,
    address: str,
    jobs: tuple[Job[Result], ...],
    take: Callable[[int, Result | Ended], None],
    progress: Progress,
) -> None:
    session = uuid.uuid4().hex
    environment = Environment.here(sorted({str(path) for job in jobs for path in job.files}))
    numbers: dict[Any, int] = {}
    try:
        for number, job in enumerate(jobs):
            key, packed = f"kapellmeister-{session}-{number}", pickle.dumps(job)
            future = client.submit(play, session, environment, packed, key=key, pure=False)
            numbers[future] = number
        for done, future in enumerate(
            distributed().as_completed(list(numbers), loop=client.loop), 1
        ):
            take(numbers.pop(future), unpacked(_result(future, address)))
            progress(done / len(jobs))
    finally:
        client.cancel(list(numbers))
        with suppress(OSError):  # of a scheduler that is gone
            client.run(end, session, on_error="ignore")


def _result(future: Any, address: str) -> bytes:
    try:
        outcome: bytes = future.result()
    except Exception as error:
        remedy = "see the logs of its workers; with --resume finished jobs are kept"
        raise DaskError(address, f"a job was lost: {error!r}", remedy) from error
    return outcome
