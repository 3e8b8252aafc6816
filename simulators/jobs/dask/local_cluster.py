"""A Dask cluster within this process, which nobody outside can reach."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from simulators.jobs.dask.package import dask_setting, distributed


@contextmanager
def local_cluster(workers: int | None) -> Iterator[str]:
    """The address of a scheduler with so many workers of one thread, or one for each core.

    Workers need no processes of their own, since players have.
    """
    with (
        TemporaryDirectory(prefix="kapellmeister-", ignore_cleanup_errors=True) as folder,
        dask_setting({"temporary-directory": folder}),
        distributed().LocalCluster(
            n_workers=workers or os.cpu_count(),
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            memory_limit=0,
        ) as cluster,
    ):
        yield cluster.scheduler_address
