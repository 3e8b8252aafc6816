"""Whether CUDA can be used here, and else why not and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.executors.gpu.probe import CudaReport, examine_cuda

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
    return next(filter(None, (check(report) for check in CHECKS)), None)


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
    remedy = 'install it, give the container its GPUs, or set device = "cpu"'
    nothing = report.cupy is None and not report.cupy_error
    return Obstacle(NO_DRIVER, remedy, no_gpu=nothing) if report.driver is None else None


def _no_cupy(report: CudaReport) -> Obstacle | None:
    absent = report.cupy is None and not report.cupy_error
    return Obstacle("CuPy is not installed", extra_for(report.driver)) if absent else None


def _unloadable_cupy(report: CudaReport) -> Obstacle | None:
    if not report.cupy_error:
        return None
    remedy = "reinstall it in an environment of its own"
    return Obstacle(f"CuPy does not load: {report.cupy_error}", remedy)


def _driver_too_old(report: CudaReport) -> Obstacle | None:
    """A driver takes each minor version of its own major one, and those of earlier ones."""
    driver, runtime = report.driver or 0, report.runtime or 0
    major = runtime // 1000
    if driver // 1000 >= major:
        return None
    first = FIRST_DRIVER.get(major, f"for CUDA {major}")
    why = f"the NVIDIA driver is too old: it is for CUDA {version_words(driver)}, and this CuPy "
    remedy = f"update the driver, or replace cupy-cuda{major}x: {extra_for(driver)}"
    return Obstacle(f"{why}works from driver {first} on", remedy)


def _missing_parts(report: CudaReport) -> Obstacle | None:
    if not report.missing_parts:
        return None
    wheel = f"cupy-cuda{(report.runtime or 0) // 1000}x[ctk]"
    why = f"parts of the CUDA toolkit are missing: {', '.join(report.missing_parts)}"
    return Obstacle(why, f"pip install '{wheel}'")


def _no_device(report: CudaReport) -> Obstacle | None:
    if report.device is not None:
        return None
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and "NoDevice" in report.device_error:
        why = f"CUDA_VISIBLE_DEVICES={hidden} leaves no device visible"
        return Obstacle(why, "unset it, or name a device that `nvidia-smi -L` lists")
    why = f"no device can be used: {report.device_error or 'CUDA finds none'}"
    return Obstacle(why, "see whether `nvidia-smi -L` lists one")


def _capability_too_low(report: CudaReport) -> Obstacle | None:
    device, known = report.device, report.capabilities
    if device is None or not known or device.capability >= min(known):
        return None
    needed, has = min(known) / 10, device.capability / 10
    why = f"{device.name} has compute capability {has:g}, and this CUDA needs {needed:g} or more"
    return Obstacle(why, 'use another device or an earlier CUDA, or set device = "cpu"')


def _unwritable_cache(report: CudaReport) -> Obstacle | None:
    """CuPy makes the folder when it is imported, and does not load where it cannot."""
    if report.cache_folder is None:
        return None
    folder = Path(report.cache_folder)
    existing = next(each for each in (folder, *folder.parents) if os.access(each, os.F_OK))
    if os.access(existing, os.W_OK | os.X_OK):
        return None
    why = f"the kernel cache {folder} is not writable"
    return Obstacle(why, "name another folder in CUPY_CACHE_DIR")


def _failed_trial(report: CudaReport) -> Obstacle | None:
    why = f"a kernel and an FFT did not run: {report.trial_error}"
    return Obstacle(why, "see `kapellmeister doctor`") if report.trial_error else None


CHECKS: tuple[Callable[[CudaReport], Obstacle | None], ...] = (
    _unanswered,
    _no_driver,
    _no_cupy,
    _unwritable_cache,
    _unloadable_cupy,
    _driver_too_old,
    _missing_parts,
    _no_device,
    _capability_too_low,
    _failed_trial,
)
