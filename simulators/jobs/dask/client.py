"""A client of a Dask scheduler whose workers are such as this machine."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from controller.errors import DaskError
from simulators.jobs.dask.environment import NONE, versions
from simulators.jobs.dask.package import distributed

CONNECT_S = 10.0
WORKERS_S = 30.0
"""Seconds to wait for the first worker of a cluster that is still starting."""


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client for as long as this lasts. Raises DaskError where there is none, or none alike."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions: those that matter are held together here
        client = _client(address)
    with client:
        _wait_for_worker(client, address)
        _check_versions(client, address)
        yield client


def _client(address: str) -> Any:
    try:
        comm = distributed().comm
        comm.resolve_address(comm.normalize_address(address))  # a client would outlive its refusal
        return distributed().Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        why = f"no scheduler answers ({error})".replace("\n", " ")
        raise DaskError(address, why, "start one with `dask scheduler`, or give `local`") from error


def _wait_for_worker(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError as error:
        why = f"no worker came in {WORKERS_S:g} s"
        raise DaskError(address, why, f"start one with `dask worker {address}`") from error


def _check_versions(client: Any, address: str) -> None:
    """Ask in the standard library's words, which a worker without Kapellmeister knows as well."""
    for name, own in versions():
        asked = (platform.python_version,) if name == "Python" else (metadata.version, name)
        for worker, found in client.run(*asked, on_error="return").items():
            there = NONE if isinstance(found, Exception) else found
            if there != own:
                why = f"{name} is {own} here and {there} on {worker}, so that results could differ"
                raise DaskError(address, why, "install the same there")
