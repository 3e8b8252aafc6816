"""The processes that play the jobs of a comparison, on all cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import SpawnContext

from controller.errors import OracleFailure
from controller.linux.prctl import die_with_parent
from simulators.comparison.figures import JobFigures, OracleJob
from simulators.comparison.jobs import Job, failed, play_oracle
from simulators.comparison.results import Results


def play_all(
    jobs: Sequence[Job],
    results: Results,
    workers: int | None,
    progress: Callable[[float], None],
) -> None:
    """Play the jobs that have no result yet, `workers` at once, or as many as there are cores.

    A job that ends its process is marked as failed and the rest is finished. Raises
    OracleFailure where that job was an oracle.
    """
    todo = [job for job in jobs if not results.has(job)]
    context = multiprocessing.get_context("spawn")
    while todo:
        pool = _pool(workers, context)
        running = _submitted(pool, todo)
        try:
            for future in as_completed(running):
                results.add(running[future].key, future.result())
                todo.remove(running[future])
                progress(1.0 - len(todo) / len(jobs))
        except BrokenProcessPool:
            todo = _one_by_one(todo, results, context)
        except BaseException:
            _kill(pool)
            raise
        pool.shutdown()


def _one_by_one(todo: Sequence[Job], results: Results, context: SpawnContext) -> list[Job]:
    """Play jobs until one ends its process, and mark that as failed; those that are left."""
    for number, job in enumerate(todo):
        with _pool(1, context) as pool:
            (played,) = _submitted(pool, [job])
            try:
                figures = played.result()
            except BrokenProcessPool:
                if job.play is play_oracle:
                    raise OracleFailure(str(job.simulation.trace.where)) from None
                error = "the policy ended the process that it ran in"
                results.add(job.key, failed(job.simulation, error))
                return list(todo[number + 1 :])
            results.add(job.key, figures)
    return []


def _pool(workers: int | None, context: SpawnContext) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, context, _begin_worker, (os.getpid(),))


def _submitted(
    pool: ProcessPoolExecutor, jobs: Sequence[Job]
) -> dict[Future[JobFigures | OracleJob], Job]:
    with _interrupt_blocked():
        return {pool.submit(job.play, job.simulation, job.key, job.rows): job for job in jobs}


def _kill(pool: ProcessPoolExecutor) -> None:
    """Leave no worker at work: nobody will ask for what it does."""
    pool.shutdown(wait=False, cancel_futures=True)
    for process in multiprocessing.active_children():
        process.kill()


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Processes that start in here never hear Ctrl-C, not even while they load: we end them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker(parent: int) -> None:
    """Have a worker end when its parent does, or has ended, and print beside results."""
    sys.stdout = sys.stderr
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
