"""The real CuPy and NVML bindings on a machine without a driver; nothing stands in for them."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest

from controller.executors.gpu.devices.availability import obstacle_in
from controller.executors.gpu.devices.probe import CudaReport

ROOT = Path(__file__).parents[2]
NVML_LIBRARY = """
typedef void* device;
struct memory { unsigned version; unsigned long long total, reserved, free, used; };
struct rates { unsigned gpu, memory; };
int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char* bus_id, device* found) { return 0; }
int nvmlDeviceGetMemoryInfo_v2(device d, struct memory* m) {
    if (m->version != 0x02000028) return 25;
    m->total = 80000; m->reserved = 1000; m->free = 59000; m->used = 20000; return 0; }
int nvmlDeviceGetUtilizationRates(device d, struct rates* r) { r->gpu = 34; return 0; }
int nvmlDeviceGetClockInfo(device d, int kind, unsigned* mhz) { *mhz = 1000 * kind; return 0; }
int nvmlDeviceGetMaxClockInfo(device d, int kind, unsigned* mhz) { *mhz = 2000; return 0; }
int nvmlDeviceGetCurrentClocksThrottleReasons(device d, unsigned long long* r) {
    *r = 4; return 0; }
int nvmlDeviceGetPowerUsage(device d, unsigned* mw) { return 3; }
int nvmlDeviceGetTemperature(device d, int sensor, unsigned* c) { *c = 61; return 0; }
const char* nvmlErrorString(int error) { return "Not Supported"; }
"""
"""A driver of a machine that is not here, older than 535: the bindings are the real ones."""
WHEELS = ("cupy-cuda13x>=14.0.1,!=14.1.0", "nvidia-ml-py>=12")
READ_ONCE = """
import dataclasses, json, pynvml
from controller.sensors.gpu.nvml import NvmlDevice
print(json.dumps(dataclasses.asdict(NvmlDevice(pynvml, "0000:1B:00.0").read())))
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has CuPy without parts of the toolkit, NVML's bindings and no more."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        pass
    else:
        pytest.skip("there is a driver here")
    home = tmp_path_factory.mktemp("cupy")
    venv.create(home, with_pip=True)
    interpreter = home / "bin" / "python"
    command = [str(interpreter), "-m", "pip", "install", "--quiet", *WHEELS]
    if subprocess.run(command, check=False).returncode != 0:
        pytest.skip("CuPy's wheel cannot be had here")
    return interpreter


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "CUPY_CACHE_DIR": str(tmp_path / "cache")}


def output(python: Path, environment: dict[str, str], *arguments: str) -> bytes:
    command = [str(python), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


def probed(python: Path, environment: dict[str, str]) -> CudaReport:
    found: dict[str, Any] = json.loads(
        output(python, environment, "-m", "controller.executors.gpu.devices.probe")
    )
    return CudaReport(**found)


def test_cupy_without_a_driver_is_said_to_have_none(
    python: Path, environment: dict[str, str]
) -> None:
    report = probed(python, environment)
    obstacle = obstacle_in(report)
    assert obstacle is not None
    assert (obstacle.why, obstacle.no_gpu) == ("there is no NVIDIA driver", False)
    assert report.cupy is not None
    assert (report.driver, report.device) == (None, None)


def test_the_bare_wheel_lacks_the_parts_that_are_used(
    python: Path, environment: dict[str, str]
) -> None:
    """As on a machine with a driver: its absence does not hide theirs."""
    report = probed(python, environment)
    assert report.missing_parts == ["NVRTC", "cuFFT"]
    assert report.runtime is not None
    assert report.runtime // 1000 == 13


def test_cupy_does_not_load_where_it_may_not_make_its_kernel_cache(
    python: Path, environment: dict[str, str]
) -> None:
    report = probed(python, {**environment, "CUPY_CACHE_DIR": "/dev/null/cache"})
    assert "/dev/null/cache" in report.cupy_error
    assert report.cache_folder == "/dev/null/cache"


def test_cupy_itself_would_blame_the_version_of_the_driver(
    python: Path, environment: dict[str, str]
) -> None:
    """Why nobody is told what CuPy says: the day that it says better, this is no longer needed."""
    asked = (
        "import cupy\n"
        "try: cupy.zeros(1)\n"
        "except cupy.cuda.runtime.CUDARuntimeError as error: print(error)"
    )
    assert b"driver version is insufficient" in output(python, environment, "-c", asked)


def test_nvml_without_a_driver_is_not_found_in_its_own_words(
    python: Path, environment: dict[str, str]
) -> None:
    line = json.loads(output(python, environment, "-m", "controller.sensors.gpu.monitor"))
    assert line["error"][0] == "NVML: NVML Shared Library Not Found"


def test_the_bindings_ask_a_driver_by_the_names_and_structures_that_it_has(
    python: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler here")
    (tmp_path / "nvml.c").write_text(NVML_LIBRARY, encoding="ascii")
    library = [compiler, "-shared", "-fPIC", "-o", "libnvidia-ml.so.1", "nvml.c"]
    subprocess.run(library, cwd=tmp_path, check=True)
    found = output(python, {**environment, "LD_LIBRARY_PATH": str(tmp_path)}, "-c", READ_ONCE)
    assert json.loads(found) == {
        "values": {
            "gpu.memory_total_bytes": 80000,
            "gpu.memory_used_bytes": 20000,
            "gpu.memory_free_bytes": 59000,
            "gpu.utilisation": 0.34,
            "gpu.sm_clock_mhz": 1000,
            "gpu.sm_clock_share": 0.5,
            "gpu.memory_clock_mhz": 2000,
            "gpu.throttled": 1.0,
            "gpu.temperature_c": 61,
        },
        "missing": {"gpu.power_w": "NVML: Not Supported"},
        "throttles": ["power cap"],
    }
