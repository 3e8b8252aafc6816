"""Options of a Dask cluster, such that workers are one a job and nothing is open to strangers."""

from __future__ import annotations

import ipaddress
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.errors import MembershipError

ENGINE = "dask"
UNSEEN = "127.0.0.1:0"
"""Address of the web pages of Dask, which show to everybody what they show."""
FULL_REMEDY = (
    'set security = true and protocol = "tls://" (with the package cryptography), and interface '
    "or host to the address of this machine; or keep to this machine by interface = 'lo'"
)


def jobs_folder() -> str:
    """The folder for what is shared with jobs."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return str(Path(state).expanduser() / "kapellmeister" / "jobs")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is of this machine alone."""
    if host in ("lo", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def local_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a LocalCluster: one process a worker, on the loopback address."""
    fixed = {"processes": True, "n_workers": 0, "threads_per_worker": 1}
    chosen = {
        "dashboard_address": UNSEEN,
        "memory_limit": 0,
        "silence_logs": logging.ERROR,
        **options,
    }
    return chosen | fixed


def job_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a cluster of jobs: one worker a job, its web pages out of sight.

    What jobs print and the certificates that they need are kept in this user's home, which hosts
    of a farm mostly share, unless it is said where.
    """
    scheduler = {"dashboard_address": UNSEEN, **options.get("scheduler_options", {})}
    arguments = ["--dashboard-address", UNSEEN, *options.get("worker_extra_args", ())]
    shared = dict.fromkeys(("log_directory", "shared_temp_directory"), jobs_folder())
    chosen = {"cores": 1, "memory": "1GiB", **shared, **options}
    fixed = {"processes": 1, "n_workers": 0}
    return chosen | fixed | {"scheduler_options": scheduler, "worker_extra_args": arguments}


def check_exposure(options: Mapping[str, Any]) -> None:
    """Refuse, by MembershipError, what others could reach without a certificate.

    Whoever reaches a scheduler of Dask runs code on it, since it reads pickles.
    """
    host = _bound_to(options)
    if host is not None and is_loopback(host):
        return
    if host is None:
        why = "its scheduler would listen on every address"
        raise MembershipError(ENGINE, why, FULL_REMEDY)
    if not options.get("security"):
        raise MembershipError(ENGINE, f"its scheduler would listen on {host} openly", FULL_REMEDY)


def check_address(address: str) -> None:
    """Refuse, by MembershipError, an open scheduler at PROTOCOL://HOST:PORT; see above."""
    protocol, _, where = address.partition("://")
    host = where.rpartition(":")[0]
    if protocol != "tls" and not is_loopback(host):
        raise MembershipError(ENGINE, f"its scheduler listens on {host} openly", FULL_REMEDY)


def _bound_to(options: Mapping[str, Any]) -> str | None:
    scheduler = options.get("scheduler_options", {})
    given = (*(scheduler.get(key) for key in ("host", "interface")),)
    given += (*(options.get(key) for key in ("host", "interface")),)
    return next((str(each) for each in given if each), None)
