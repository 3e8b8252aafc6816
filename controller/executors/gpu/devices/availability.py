"""Whether CUDA can be used here, and else why not and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from controller.executors.gpu.devices.probe import CudaReport, examine_cuda

FIRST_DRIVER = {11: "450", 12: "525", 13: "580"}
"""Driver that a major version of CUDA works from; docs.nvidia.com/deploy/cuda-compatibility."""
NO_DRIVER = "there is no NVIDIA driver"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps CUDA from being used, and the remedy; `no_gpu` where nobody would expect one."""

    why: str
    remedy: str
    no_gpu: bool = False


def cuda_obstacle() -> Obstacle | None:
    """What keeps `device = "cuda"` from being used here; None where it can be."""
    return obstacle_in(examine_cuda())


def obstacle_in(report: CudaReport) -> Obstacle | None:
    """The first obstacle that a report tells of: nothing behind it can be used before."""
    return next(filter(None, (check(report) for check in CHECKS.values())), None)


def version_words(version: int) -> str:
    """A version as people write it: 13020 is 13.2."""
    return f"{version // 1000}.{version % 1000 // 10}"


def extra_for(driver: int | None) -> str:
    """How to install the CuPy that fits a driver."""
    return f"pip install 'kapellmeister[gpu-cuda{12 if (driver or 0) < 13000 else 13}]'"


def _unanswered(report: CudaReport) -> Obstacle | None:
    remedy = "see whether `nvidia-smi` answers"
    return Obstacle(report.failure, remedy) if report.failure else None


def _no_driver(report: CudaReport) -> Obstacle | None:
    if report.failure or report.driver is not None:
        return None
    remedy = 'install it, give the container its GPUs, or set device = "cpu"'
    return Obstacle(NO_DRIVER, remedy, no_gpu=not _is_installed(report))


def _unwritable_cache(report: CudaReport) -> Obstacle | None:
    """CuPy makes the folder when it is imported, and does not load where it cannot."""
    if report.cache_folder is None or not _is_installed(report):
        return None
    folder = Path(report.cache_folder)
    existing = next(each for each in (folder, *folder.parents) if os.access(each, os.F_OK))
    if os.access(existing, os.W_OK | os.X_OK):
        return None
    why = f"the kernel cache {folder} is not writable"
    return Obstacle(why, "name another folder in CUPY_CACHE_DIR")


def _no_cupy(report: CudaReport) -> Obstacle | None:
    if report.cupy_error:
        remedy = "reinstall it in an environment of its own"
        return Obstacle(f"CuPy does not load: {report.cupy_error}", remedy)
    if report.failure or report.cupy is not None:
        return None
    return Obstacle("CuPy is not installed", extra_for(report.driver))


def _driver_too_old(report: CudaReport) -> Obstacle | None:
    """A driver takes each minor version of its own major one, and those of earlier ones."""
    driver, runtime = report.driver, report.runtime
    if driver is None or runtime is None or driver // 1000 >= runtime // 1000:
        return None
    major = runtime // 1000
    first = FIRST_DRIVER.get(major, f"for CUDA {major}")
    why = f"the NVIDIA driver is too old: it is for CUDA {version_words(driver)}, and this CuPy "
    remedy = f"update the driver, or replace cupy-cuda{major}x: {extra_for(driver)}"
    return Obstacle(f"{why}works from driver {first} on", remedy)


def _missing_parts(report: CudaReport) -> Obstacle | None:
    if not report.missing_parts:
        return None
    why = f"parts of the CUDA toolkit are missing: {', '.join(report.missing_parts)}"
    return Obstacle(why, f"pip install '{_wheel(report)}'")


def _no_device(report: CudaReport) -> Obstacle | None:
    if not report.device_error:
        return None
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and "NoDevice" in report.device_error:
        why = f"CUDA_VISIBLE_DEVICES={hidden} leaves no device visible"
        return Obstacle(why, "unset it, or name a device that `nvidia-smi -L` lists")
    why = f"no device can be used: {report.device_error}"
    return Obstacle(why, "see whether `nvidia-smi -L` lists one")


def _unknown_capability(report: CudaReport) -> Obstacle | None:
    """NVRTC drops old devices, and compiles for no major version that came after it."""
    device, known = report.device, report.capabilities
    if device is None or not known:
        return None
    has = f"{device.name} has compute capability {device.capability / 10:g}"
    if device.capability < min(known):
        why = f"{has}, and this CUDA needs {min(known) / 10:g} or more"
        return Obstacle(why, 'use another device or an earlier CUDA, or set device = "cpu"')
    if device.capability // 10 > max(known) // 10:
        why = f"{has}, and NVRTC compiles for {max(known) / 10:g} at most"
        return Obstacle(why, f"pip install --upgrade '{_wheel(report)}'")
    return None


def _failed_trial(report: CudaReport) -> Obstacle | None:
    why = f"a kernel and an FFT did not run: {report.trial_error}"
    return Obstacle(why, "see `kapellmeister doctor`") if report.trial_error else None


def _is_installed(report: CudaReport) -> bool:
    return report.cupy is not None or bool(report.cupy_error)


def _wheel(report: CudaReport) -> str:
    return f"cupy-cuda{(report.runtime or 0) // 1000}x[ctk]"


CHECKS: Mapping[str, Callable[[CudaReport], Obstacle | None]] = MappingProxyType(
    {
        "answer": _unanswered,
        "driver": _no_driver,
        "kernel cache": _unwritable_cache,
        "CuPy": _no_cupy,
        "driver for this CuPy": _driver_too_old,
        "toolkit parts": _missing_parts,
        "device": _no_device,
        "compute capability": _unknown_capability,
        "kernel and FFT": _failed_trial,
    }
)
"""Checks by what they look at, in the order in which one needs the other.

A check of what could not be asked finds no obstacle.
"""
