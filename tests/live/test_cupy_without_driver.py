"""The real CuPy and NVML bindings on a machine without a driver; nothing stands in for them."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.executors.gpu.availability import obstacle_in
from controller.executors.gpu.probe import CudaReport

ROOT = Path(__file__).parents[2]
WHEELS = ("cupy-cuda13x>=14.0.1,!=14.1.0", "nvidia-ml-py>=12")
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
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    yield {**os.environ, "PYTHONPATH": str(ROOT), "CUPY_CACHE_DIR": str(tmp_path / "cache")}


def output(python: Path, environment: dict[str, str], *arguments: str) -> bytes:
    command = [str(python), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


def probed(python: Path, environment: dict[str, str]) -> CudaReport:
    found: dict[str, Any] = json.loads(
        output(python, environment, "-m", "controller.executors.gpu.probe")
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
