"""The cluster's engines, as the doctor finds them: Dask, MPI, Slurm, and how this host is named."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from controller.errors import KernelFileError
from controller.linux.kernel_files import read_text
from kapellmeister.machine.finding import Finding, Status, note
from kapellmeister.machine.mpi_findings import LIBRARIES, mpi_findings
from kapellmeister.machine.tools import answer, at_least, program, versions

DASK = {"distributed": (2026, 8), "dask-jobqueue": (0, 9)}
"""Packages of the engine `dask`, with the least version of each."""
INSTALL_DASK = "pip install 'kapellmeister[dask]'"
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def cluster_findings() -> Iterator[Finding]:
    """Findings about more machines than this; one line where no engine is installed."""
    packages = versions((*DASK, "mpi4py", *LIBRARIES))
    mpi = any(name not in DASK for name in packages) or program("mpirun") is not None
    slurm = program("sinfo")
    if not packages and not mpi and slurm is None:
        yield note("engines", "no Dask, MPI or Slurm; not needed on one machine")
        return
    if any(name in DASK for name in packages) or slurm is not None:
        yield from dask_findings(packages)
    if mpi:
        yield from mpi_findings()
    if slurm is not None:
        yield slurm_finding(*answer(slurm, "--noheader", "--format=%P %D %t"))
    yield from network_findings()


def dask_findings(packages: Mapping[str, str]) -> Iterator[Finding]:
    """Whether each package of Dask is there, and new enough."""
    for name, least in DASK.items():
        version = packages.get(name)
        if version is None:
            yield _lacking(name, Status.ABSENT, "not installed")
        elif not at_least(version, least):
            words = ".".join(map(str, least))
            yield _lacking(name, Status.REFUSED, f"{version}, older than {words}")
        else:
            yield Finding(name=name, status=Status.WORKS, found=version)


def slurm_finding(works: bool, said: str) -> Finding:
    """Whether Slurm answers, with its partitions, how many nodes each has and their state."""
    if works:
        found = "; ".join(line.strip() for line in said.splitlines()) or "no partition"
        return Finding(name="Slurm", status=Status.WORKS, found=found)
    remedy, why = "run this where jobs are submitted from, or set SLURM_CONF", said.splitlines()
    found = why[-1] if why else "no answer"
    return Finding(name="Slurm", status=Status.REFUSED, found=found, remedy=remedy)


def network_findings() -> Iterator[Finding]:
    """How other hosts reach this one: its name, its address, its ports."""
    name = socket.gethostname()
    yield host_name(name, _resolved(name))
    yield ports(_port_range())


def host_name(name: str, addresses: tuple[str, ...]) -> Finding:
    """Whether this host's name means an address at which others find it."""
    remedy = f"give {name} its address in /etc/hosts, or configure an address and not a name"
    if not addresses:
        found = f"{name}, which no address is known of"
        return Finding(name="host", status=Status.REFUSED, found=found, remedy=remedy)
    found = f"{name}, {' and '.join(addresses)}"
    if all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in addresses):
        found += ", which is this machine alone"
        return Finding(name="host", status=Status.REFUSED, found=found, remedy=remedy)
    return Finding(name="host", status=Status.WORKS, found=found)


def ports(span: tuple[int, int] | None) -> Finding:
    """The ports that links listen on; whether a firewall lets them pass only the others know."""
    where = "any that is free" if span is None else f"any free one of {span[0]} to {span[1]}"
    return note("ports", f"{where}; firewalls between the hosts have to let them pass")


def _lacking(name: str, status: Status, found: str) -> Finding:
    return Finding(name=name, status=status, found=found, remedy=INSTALL_DASK)


def _resolved(name: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def _port_range() -> tuple[int, int] | None:
    try:
        first, last = map(int, read_text(PORT_RANGE).split())
    except (KernelFileError, ValueError):
        return None
    return first, last
