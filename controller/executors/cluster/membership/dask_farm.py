"""A Dask cluster in the four words that membership needs: which workers, how many, which not."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.errors import MembershipError
from controller.executors.cluster.membership import dask_options
from controller.executors.cluster.membership.dask_options import ENGINE
from controller.executors.cluster.membership.dask_settings import DaskSettings
from controller.linux.os_errors import explained

EXTRA = "pip install 'kapellmeister[dask]'"
CONFIGURATION = {
    "distributed.scheduler.worker-ttl": "2s",
    "distributed.logging": {"distributed": "error", "tornado.application": "critical"},
    "distributed.worker.memory.terminate": False,
    "distributed.worker.memory.pause": False,
}
"""Settings of Dask: a silent worker is given up early, and none is ended for its memory.

Why a worker cannot start is the reason of a wanted node: it needs no traceback besides.
"""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that the scheduler knows: `place` is its name there, which its successor keeps."""

    address: str
    place: str


class Farm:
    """Wraps an open cluster; names of workers are text here, whatever they are in Dask."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    def workers(self) -> tuple[Worker, ...]:
        """The workers that the scheduler has heard of lately."""
        known = self._cluster.scheduler_info["workers"]
        return tuple(Worker(address, str(each["name"])) for address, each in known.items())

    def planned(self) -> frozenset[str]:
        """Places that there should be workers at, also where none is seen."""
        return frozenset(map(str, self._cluster.plan))

    async def ask(self, count: int) -> None:
        """Have so many places; returns once those new have been asked for, or have started.

        Raises whatever the cluster does where that fails; the new places are given up again.
        """
        before = self.planned()
        self._cluster.scale(count)
        try:
            await self._cluster
        except Exception:
            await self.retire(self.planned() - before)
            raise

    async def retire(self, places: Iterable[str]) -> None:
        """End the workers of these places, and have no others there.

        Asked for the same number, Dask replaces no lost job: its place has to go first, and this
        has to be over before another number is asked for, or the two merge.
        """
        unwanted = set(places)
        named = [name for name in self._cluster.plan if str(name) in unwanted]
        await self._cluster.scale_down(named)

    async def close(self) -> None:
        """End all workers and the scheduler."""
        await self._cluster.close()


async def open_cluster(settings: DaskSettings) -> Any:
    """Open the cluster, with no worker yet.

    Raises MembershipError where it cannot be opened as configured, or is not installed.
    """
    kind = _load(settings.class_path)
    options = _options(kind, settings.options)
    try:
        cluster = await kind(asynchronous=True, **options)
    except Exception as error:  # any cluster's own, by anybody
        why = f"{settings.class_path} does not open: {error}"
        raise MembershipError(ENGINE, why, "see the options of this cluster") from error
    try:
        dask_options.check_address(cluster.scheduler_address)
    except MembershipError:
        await cluster.close()
        raise
    return cluster


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name in ("distributed", "dask_jobqueue"):
            raise MembershipError(ENGINE, f"{error.name} is not installed", EXTRA) from error
        raise MembershipError(ENGINE, f"{path}: {error}", "install it, or name another") from error
    except AttributeError as error:
        raise MembershipError(ENGINE, f"{path}: {error}", "name it as MODULE:CLASS") from error


def _options(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    if (job := getattr(kind, "job_cls", None)) is not None:
        _check_launcher(getattr(job, "submit_command", None))
        options = dask_options.job_options(given)
        dask_options.check_exposure(options)
        _make_folder(dask_options.jobs_folder())
        return options
    if kind.__name__ == "LocalCluster":
        options = dask_options.local_options(given)
        dask_options.check_exposure({"host": "127.0.0.1", **options})
        return options
    return dict(given)


def _check_launcher(command: str | None) -> None:
    if command and shutil.which(command.split()[0]) is None:
        why = f"{command} is not installed here"
        raise MembershipError(ENGINE, why, "run this where jobs are submitted from")


def _make_folder(path: str) -> None:
    try:
        Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why, remedy = explained(error, path)
        raise MembershipError(ENGINE, f"{path}: {why}", remedy) from error
