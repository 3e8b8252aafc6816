"""What CUDA tells of itself, asked in a process of its own.

CUDA is of no use to a process that forks after it has opened it, as the pipeline does:
`python -m controller.executors.gpu.devices.probe` prints a CudaReport as one line of JSON.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from controller.linux.nvidia import device_file
from controller.monitors.environment import with_our_packages

PATIENCE_S = 60.0
"""Seconds that CUDA may take to answer; a machine of many GPUs wakes them one by one."""
PARTS = {"NVRTC": "nvrtc", "cuFFT": "cufft"}
"""Parts of the toolkit that are used, and the modules of cupy.cuda that load them."""
TRIAL = 'extern "C" __global__ void trial(float* x) { x[threadIdx.x] += 1.0f; }'


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """The first visible device; `capability` is ten times its compute capability."""

    name: str
    pci_bus_id: str
    capability: int
    memory_bytes: int
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class CudaReport:
    """What was found; a version is 1000 times the major plus 10 times the minor number.

    None and the empty text are what could not be asked. `failure` is why nothing could,
    `trial_error` why a kernel and an FFT did not run.
    """

    failure: str = ""
    driver: int | None = None
    cupy: str | None = None
    cupy_error: str = ""
    cache_folder: str | None = None
    runtime: int | None = None
    missing_parts: list[str] = field(default_factory=list)
    nvrtc: int | None = None
    capabilities: list[int] = field(default_factory=list)
    device: CudaDevice | None = None
    device_error: str = ""
    trial_error: str = ""


def examine_cuda(patience_s: float = PATIENCE_S) -> CudaReport:
    """Ask in a process of its own; in none where there is neither CuPy nor a device file."""
    if find_spec("cupy") is None and device_file() is None:
        return CudaReport()
    try:
        asked = subprocess.run(
            [sys.executable, "-P", "-m", "controller.executors.gpu.devices.probe"],
            cwd="/",
            env=with_our_packages(),
            capture_output=True,
            timeout=patience_s,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return CudaReport(failure=f"CUDA did not answer within {patience_s:g} s")
    except (subprocess.CalledProcessError, OSError) as error:
        return CudaReport(failure=f"asking CUDA failed: {_words(error)}")
    return _from_line(asked.stdout.splitlines()[-1])


def _words(error: subprocess.CalledProcessError | OSError) -> str:
    """The last line that was said, or else how it ended."""
    if isinstance(error, OSError):
        return str(error)
    said: list[str] = error.stderr.decode(errors="replace").splitlines()
    return said[-1] if said else f"it ended with status {error.returncode}"


def _from_line(line: bytes) -> CudaReport:
    found = json.loads(line)
    device = found.pop("device")
    return CudaReport(**found, device=None if device is None else CudaDevice(**device))


def probe() -> CudaReport:
    """Ask CUDA in this process, which must not fork afterwards."""
    report = CudaReport(driver=_driver(), cache_folder=_cache_folder())
    try:
        cupy = importlib.import_module("cupy")
    except ModuleNotFoundError as error:
        return report if error.name == "cupy" else replace(report, cupy_error=str(error))
    except Exception as error:  # noqa: BLE001 - a native library may fail in any way to load
        return replace(report, cupy_error=_one_line(error))
    report = replace(
        report,
        cupy=cupy.__version__,
        runtime=cupy.cuda.runtime.runtimeGetVersion(),
        missing_parts=[part for part, name in PARTS.items() if not _loads(name)],
    )
    return report if report.driver is None else _with_device(cupy, report)


def _driver() -> int | None:
    """The CUDA version that the driver is for; its library tells that before it is started."""
    version = ctypes.c_int()
    try:
        failed = ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return None
    return None if failed or version.value == 0 else version.value


def _cache_folder() -> str:
    """The folder that CuPy keeps compiled kernels in, and makes as soon as it is imported."""
    default = os.path.expanduser("~/.cupy/kernel_cache")  # noqa: PTH111 - never raises
    return os.environ.get("CUPY_CACHE_DIR", default)


def _loads(name: str) -> bool:
    """Whether a part is there: its library is loaded when its version is asked for."""
    try:
        importlib.import_module(f"cupy.cuda.{name}").getVersion()
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def _with_device(cupy: Any, report: CudaReport) -> CudaReport:
    """The report with the first device, where there is one, and a trial of it."""
    try:
        report = replace(report, device=_device(cupy))
    except Exception as error:  # noqa: BLE001 - whatever the driver says is what is told
        return replace(report, device_error=_one_line(error))
    if "NVRTC" not in report.missing_parts:
        nvrtc = cupy.cuda.nvrtc
        major, minor = nvrtc.getVersion()
        known = list(nvrtc.getSupportedArchs())
        report = replace(report, nvrtc=1000 * major + 10 * minor, capabilities=known)
    return report if report.missing_parts else _with_trial(cupy, report)


def _device(cupy: Any) -> CudaDevice:
    found = cupy.cuda.runtime.getDeviceProperties(0)
    return CudaDevice(
        name=found["name"].decode(),
        pci_bus_id=cupy.cuda.Device(0).pci_bus_id,
        capability=10 * found["major"] + found["minor"],
        memory_bytes=found["totalGlobalMem"],
    )


def _with_trial(cupy: Any, report: CudaReport) -> CudaReport:
    """Run a kernel and an FFT, and see how much memory is free."""
    try:
        free_bytes, _ = cupy.cuda.runtime.memGetInfo()
        numbers = cupy.zeros(32, cupy.float32)
        cupy.RawKernel(TRIAL, "trial")((1,), (32,), (numbers,))
        cupy.fft.rfft(numbers)
        cupy.cuda.Device().synchronize()
    except Exception as error:  # noqa: BLE001 - whatever the driver says is what is told
        return replace(report, trial_error=_one_line(error))
    device = report.device
    known = None if device is None else replace(device, free_bytes=free_bytes)
    return replace(report, device=known)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


if __name__ == "__main__":
    print(json.dumps(asdict(probe())))
