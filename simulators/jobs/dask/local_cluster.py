"""A Dask cluster on this machine, in a process of its own, so that workers inherit no stdout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from controller.errors import DaskError
from simulators.jobs.child import start_child
from simulators.jobs.dask.package import distributed

START_S = 60.0
"""Seconds that a cluster may take to start, on a machine that is busy."""
CLOSE_S = 10.0
"""Seconds that a cluster may take to end by itself."""


@contextmanager
def local_cluster(workers: int | None) -> Iterator[str]:
    """The address of a scheduler with so many workers of one thread, or one for each core.

    Raises DaskError where it does not start.
    """
    process, connection = start_child(__name__, {})
    try:
        connection.send(workers or os.cpu_count() or 1)
        distributed()  # meanwhile
        yield _address(connection)
    finally:
        connection.close()
        _wait(process)


def _address(connection: Connection) -> str:
    try:
        if connection.poll(START_S):
            return connection.recv_bytes().decode()
        why = f"no cluster in {START_S:g} s"
    except EOFError:
        why = "its process ended"
    raise DaskError("local", why, "see what it printed; `--jobs` needs no cluster")


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(CLOSE_S)
    except subprocess.TimeoutExpired:
        process.kill()  # its workers end with it
        process.wait()


def main(connection: Connection) -> None:
    """Hold the cluster for as long as the connection is open."""
    with distributed().LocalCluster(
        n_workers=connection.recv(),
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
    ) as cluster:
        connection.send_bytes(cluster.scheduler_address.encode())
        with suppress(EOFError, ConnectionError):
            connection.recv_bytes()
