from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.executors.gpu.devices.probe import CudaDevice, CudaReport
from controller.sensors.gpu.link import NO_BINDINGS, NoLink
from kapellmeister.machine import gpu_findings as findings
from kapellmeister.machine.finding import Finding, Status, note

GIB = 2**30
USABLE = CudaReport(
    driver=13000,
    cupy="14.2.0",
    runtime=13020,
    nvrtc=13010,
    capabilities=[75, 90, 120],
    device=CudaDevice("NVIDIA H200", "0000:1B:00.0", 90, 140 * GIB, 137 * GIB),
)


def told(report: CudaReport) -> dict[str, str]:
    return {each.name: each.found for each in findings.cuda_findings(report)}


def test_a_device_that_works_is_told_with_every_version_that_matters() -> None:
    assert told(USABLE) == {
        "driver": "for CUDA 13.0",
        "CuPy": "14.2.0, for CUDA 13.2",
        "toolkit parts": "NVRTC 13.1, cuFFT",
        "device": "NVIDIA H200, PCI bus 0000:1B:00.0",
        "compute capability": "9, which NVRTC compiles for",
        "kernel and FFT": "compiled, and ran",
    }


def test_without_a_driver_what_cupy_lacks_is_told_all_the_same() -> None:
    bare = CudaReport(cupy="14.2.0", runtime=13020, missing_parts=["NVRTC", "cuFFT"])
    found = list(findings.cuda_findings(bare))
    assert [(each.name, each.status) for each in found] == [
        ("driver", Status.REFUSED),
        ("CuPy", Status.WORKS),
        ("toolkit parts", Status.REFUSED),
    ]
    assert found[2].remedy == "pip install 'cupy-cuda13x[ctk]'"


def test_a_driver_that_is_too_old_is_told_beside_what_it_is_for() -> None:
    found = told(replace(USABLE, driver=12040))
    assert found["driver"] == "for CUDA 12.4"
    assert found["driver for this CuPy"].startswith("the NVIDIA driver is too old: ")


def test_one_line_says_that_there_is_neither_a_device_nor_cupy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(findings, "device_file", lambda: None)
    monkeypatch.setattr(findings, "cupy_wheels", dict)
    monkeypatch.setattr(findings, "examine_cuda", CudaReport)
    assert list(findings.gpu_findings()) == [note("NVIDIA GPU", "none, and no CuPy; not needed")]


def test_a_device_file_alone_is_reason_enough_to_say_what_is_lacking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(findings, "device_file", lambda: Path("/dev/nvidiactl"))
    monkeypatch.setattr(findings, "cupy_wheels", dict)
    monkeypatch.setattr(findings, "examine_cuda", lambda: CudaReport(driver=13000))
    monkeypatch.setattr(findings, "open_link", lambda _: NoLink(NO_BINDINGS))
    assert [(each.name, each.remedy) for each in findings.gpu_findings()] == [
        ("driver", ""),
        ("CuPy", "pip install 'kapellmeister[gpu-cuda13]'"),
        ("NVML", "pip install nvidia-ml-py"),
    ]


def test_two_wheels_of_cupy_are_told_to_overwrite_each_other() -> None:
    both = {"cupy-cuda12x": "14.2.0", "cupy-cuda13x": "14.2.0"}
    (found,) = findings.wheel_findings(both)
    assert found.found == "cupy-cuda12x and cupy-cuda13x are installed, which overwrite each other"
    assert found.remedy == (
        "pip uninstall cupy-cuda12x cupy-cuda13x, then install one of them again"
    )
    assert list(findings.wheel_findings({"cupy-cuda12x": "14.2.0"})) == []


def test_memory_that_other_programs_hold_is_told() -> None:
    device = CudaDevice("NVIDIA H200", "0000:1B:00.0", 90, 140 * GIB, 13 * GIB)
    (found,) = findings.memory_findings(replace(USABLE, device=device))
    assert (found.status, found.found) == (Status.NOTE, "13.0 of 140.0 GiB are free")


@pytest.mark.parametrize(
    ("limit_bytes", "status"),
    [(resource.RLIM_INFINITY, Status.WORKS), (2**30, Status.WORKS), (2**23, Status.NOTE)],
)
def test_a_low_limit_of_locked_memory_comes_with_its_remedy(
    limit_bytes: int, status: Status
) -> None:
    found = findings.pinned_memory(limit_bytes)
    assert found.status is status
    assert ("ulimit" in found.remedy) is (status is Status.NOTE)


class OneLine(NoLink):
    def wait(self, patience_s: float) -> list[dict[str, Any]]:
        return [{"took_s": 0.000_21, "missing": {"gpu.power_w": "NVML: Not Supported"}}]


def test_nvml_is_told_with_its_cost_and_with_what_it_does_not_tell() -> None:
    assert findings.nvml(OneLine(NO_BINDINGS)) == Finding(
        name="NVML",
        status=Status.WORKS,
        found="a reading takes 0.21 ms; no gpu.power_w: NVML: Not Supported",
    )
