"""The GPU, as the doctor finds it: all that `device = "cuda"` needs, in the order of need."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from controller.executors.gpu.devices.availability import CHECKS, version_words
from controller.executors.gpu.devices.probe import CudaReport, examine_cuda
from controller.linux.nvidia import device_file
from controller.sensors.gpu.link import Link, open_link
from kapellmeister.machine.finding import Finding, Status, note
from kapellmeister.machine.tools import versions

GIB = 2**30
WHEELS = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x")
"""Names that CuPy is installed by: two of them overwrite each other's files."""
NVML_PATIENCE_S = 10.0
"""Seconds that the first reading may take; NVML wakes a device that nobody uses."""
STAGING_BYTES = 64 * 2**20
"""Pinned memory, bytes, that sound on its way to the device and back may take."""


def gpu_findings() -> Iterator[Finding]:
    """Findings about the GPU; one line where there is neither a device nor CuPy."""
    report, wheels = examine_cuda(), cupy_wheels()
    if not wheels and device_file() is None:
        yield note("NVIDIA GPU", "none, and no CuPy; not needed")
        return
    yield from cuda_findings(report)
    yield from wheel_findings(wheels)
    if report.device is not None:
        yield from memory_findings(report)
        yield pinned_memory(resource.getrlimit(resource.RLIMIT_MEMLOCK)[0])
    yield nvml(open_link(None if report.device is None else report.device.pci_bus_id))


def cuda_findings(report: CudaReport) -> Iterator[Finding]:
    """A finding for each thing that could be asked about."""
    for name, check in CHECKS.items():
        obstacle = check(report)
        if obstacle is not None:
            why, remedy = obstacle.why, obstacle.remedy
            yield Finding(name=name, status=Status.REFUSED, found=why, remedy=remedy)
        elif found := WORDS.get(name, _nothing)(report):
            yield Finding(name=name, status=Status.WORKS, found=found)


def _nothing(_: CudaReport) -> str:
    return ""


def _driver(report: CudaReport) -> str:
    return "" if report.driver is None else f"for CUDA {version_words(report.driver)}"


def _cupy(report: CudaReport) -> str:
    if report.cupy is None or report.runtime is None:
        return ""
    return f"{report.cupy}, for CUDA {version_words(report.runtime)}"


def _parts(report: CudaReport) -> str:
    return "" if report.nvrtc is None else f"NVRTC {version_words(report.nvrtc)}, cuFFT"


def _device(report: CudaReport) -> str:
    device = report.device
    return "" if device is None else f"{device.name}, PCI bus {device.pci_bus_id}"


def _capability(report: CudaReport) -> str:
    if report.device is None or not report.capabilities:
        return ""
    return f"{report.device.capability / 10:g}, which NVRTC compiles for"


def _trial(report: CudaReport) -> str:
    ran = report.device is not None and report.device.free_bytes is not None
    return "compiled, and ran" if ran else ""


WORDS: Mapping[str, Callable[[CudaReport], str]] = MappingProxyType(
    {
        "driver": _driver,
        "CuPy": _cupy,
        "toolkit parts": _parts,
        "device": _device,
        "compute capability": _capability,
        "kernel and FFT": _trial,
    }
)
"""Words for each thing that works; none where it was not looked at."""


def cupy_wheels() -> dict[str, str]:
    """Version of each CuPy that is installed, by its name."""
    return versions(WHEELS)


def wheel_findings(wheels: Mapping[str, str]) -> Iterator[Finding]:
    """Two wheels of CuPy overwrite each other: what is left of either is chance."""
    if len(wheels) > 1:
        names = " ".join(wheels)
        yield Finding(
            name="CuPy wheels",
            status=Status.REFUSED,
            found=f"{' and '.join(wheels)} are installed, which overwrite each other",
            remedy=f"pip uninstall {names}, then install one of them again",
        )


def memory_findings(report: CudaReport) -> Iterator[Finding]:
    """How much of the device's memory is free: programs do not give back what others need."""
    device = report.device
    if device is None or device.free_bytes is None:
        return
    found = f"{device.free_bytes / GIB:.1f} of {device.memory_bytes / GIB:.1f} GiB are free"
    scarce = device.free_bytes < device.memory_bytes / 2
    status = Status.NOTE if scarce else Status.WORKS
    remedy = "end other programs that `nvidia-smi` lists" if scarce else ""
    yield Finding(name="device memory", status=status, found=found, remedy=remedy)


def pinned_memory(limit_bytes: int) -> Finding:
    """The limit of memory that a program may lock; whether pinned memory counts is the driver's."""
    name = "pinned memory"
    if limit_bytes == resource.RLIM_INFINITY:
        return Finding(name=name, status=Status.WORKS, found="not limited")
    found = f"RLIMIT_MEMLOCK is {limit_bytes / 2**20:.0f} MiB"
    if limit_bytes >= STAGING_BYTES:
        return Finding(name=name, status=Status.WORKS, found=found)
    remedy = "raise it: `ulimit -l unlimited`, or LimitMEMLOCK=infinity in a unit"
    return Finding(name=name, status=Status.NOTE, found=found, remedy=remedy)


def nvml(link: Link) -> Finding:
    """Whether the device tells of its load, clocks, power and temperature; closes the link."""
    try:
        lines = link.wait(NVML_PATIENCE_S)
    finally:
        link.close()
    if not lines:
        why, remedy = link.error
        return Finding(name="NVML", status=Status.ABSENT, found=why, remedy=remedy)
    missing = [f"no {name}: {why}" for name, why in lines[-1]["missing"].items()]
    found = "; ".join([f"a reading takes {1000 * lines[-1]['took_s']:.2f} ms", *missing])
    return Finding(name="NVML", status=Status.WORKS, found=found)
