from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from controller.executors.gpu.devices import probe
from controller.executors.gpu.devices.availability import obstacle_in
from controller.executors.gpu.devices.probe import CudaDevice, CudaReport, examine_cuda
from controller.linux.nvidia import device_file

DEVICE = CudaDevice("NVIDIA H200", "0000:1B:00.0", 90, 150_000_000_000, 148_000_000_000)
USABLE = CudaReport(
    driver=13000,
    cupy="14.2.0",
    runtime=13020,
    nvrtc=13000,
    capabilities=[75, 80, 90, 120],
    device=DEVICE,
)


def why(report: CudaReport) -> str:
    found = obstacle_in(report)
    assert found is not None
    return f"{found.why}; {found.remedy}"


def test_nothing_stands_in_the_way_of_a_device_that_ran_a_kernel() -> None:
    assert obstacle_in(USABLE) is None


def test_without_a_driver_the_driver_is_named_whatever_else_is_missing() -> None:
    bare = CudaReport(cupy="14.2.0", runtime=13020, missing_parts=["NVRTC", "cuFFT"])
    assert why(bare) == (
        'there is no NVIDIA driver; install it, give the container its GPUs, or set device = "cpu"'
    )


def test_nobody_expects_a_gpu_where_there_is_neither_a_driver_nor_cupy() -> None:
    nothing, cupy_alone = obstacle_in(CudaReport()), obstacle_in(CudaReport(cupy="14.2.0"))
    assert nothing is not None
    assert cupy_alone is not None
    assert (nothing.no_gpu, cupy_alone.no_gpu) == (True, False)


@pytest.mark.parametrize(("driver", "extra"), [(12040, "gpu-cuda12"), (13000, "gpu-cuda13")])
def test_the_cupy_that_fits_the_driver_is_the_one_to_install(driver: int, extra: str) -> None:
    assert why(CudaReport(driver=driver)) == (
        f"CuPy is not installed; pip install 'kapellmeister[{extra}]'"
    )


def test_a_driver_of_an_earlier_major_version_is_too_old() -> None:
    assert why(replace(USABLE, driver=12040)) == (
        "the NVIDIA driver is too old: it is for CUDA 12.4, and this CuPy works from driver 580 "
        "on; update the driver, or replace cupy-cuda13x: pip install 'kapellmeister[gpu-cuda12]'"
    )


@pytest.mark.parametrize("driver", [13000, 13020, 14010])
def test_a_driver_of_the_same_or_a_later_major_version_is_not_too_old(driver: int) -> None:
    assert obstacle_in(replace(USABLE, driver=driver)) is None


def test_missing_parts_of_the_toolkit_come_with_the_wheel_of_the_same_cuda() -> None:
    report = replace(USABLE, runtime=12090, missing_parts=["NVRTC", "cuFFT"])
    assert why(report) == (
        "parts of the CUDA toolkit are missing: NVRTC, cuFFT; pip install 'cupy-cuda12x[ctk]'"
    )


def test_a_hidden_device_is_blamed_on_what_hides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    hidden = replace(USABLE, device=None, device_error="CUDARuntimeError: cudaErrorNoDevice: no")
    assert why(hidden).startswith("CUDA_VISIBLE_DEVICES=-1 leaves no device visible; ")


def test_a_device_that_fails_is_told_in_the_words_of_the_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    broken = replace(USABLE, device=None, device_error="CUDARuntimeError: cudaErrorSystemNotReady")
    assert why(broken).startswith("no device can be used: CUDARuntimeError: cudaErrorSystemNot")


def test_a_device_that_the_compiler_no_longer_knows_is_too_old() -> None:
    old = replace(USABLE, device=CudaDevice("Tesla P100", "0000:00:04.0", 60, 16_000_000_000))
    assert why(old).startswith(
        "Tesla P100 has compute capability 6, and this CUDA needs 7.5 or more; "
    )


def test_a_device_of_a_later_generation_needs_a_later_compiler() -> None:
    new = replace(USABLE, device=CudaDevice("NVIDIA R100", "0000:04:00.0", 130, 288_000_000_000))
    assert why(new) == (
        "NVIDIA R100 has compute capability 13, and NVRTC compiles for 12 at most; "
        "pip install --upgrade 'cupy-cuda13x[ctk]'"
    )


def test_a_kernel_that_does_not_run_is_told_in_its_own_words() -> None:
    failed = replace(USABLE, trial_error="CUDADriverError: CUDA_ERROR_UNSUPPORTED_PTX_VERSION")
    assert "UNSUPPORTED_PTX_VERSION" in why(failed)


def test_a_kernel_cache_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "cache"
    report = replace(USABLE, cupy=None, cupy_error="NotADirectoryError", cache_folder=str(folder))
    assert why(report) == (
        f"the kernel cache {folder} is not writable; name another folder in CUPY_CACHE_DIR"
    )


def test_a_kernel_cache_that_is_yet_to_be_made_is_no_obstacle(tmp_path: Path) -> None:
    assert obstacle_in(replace(USABLE, cache_folder=str(tmp_path / "a" / "b"))) is None


def test_the_report_of_another_process_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "device_file", lambda: Path("/dev/nvidiactl"))
    assert examine_cuda().failure == ""


def test_a_probe_that_does_not_answer_is_an_obstacle_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "device_file", lambda: Path("/dev/nvidiactl"))
    assert why(examine_cuda(patience_s=0.0)) == (
        "CUDA did not answer within 0 s; see whether `nvidia-smi` answers"
    )


def test_a_probe_that_fails_is_told_by_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "device_file", lambda: Path("/dev/nvidiactl"))
    monkeypatch.setattr(sys, "executable", os.devnull)
    assert examine_cuda().failure.startswith("asking CUDA failed: ")


def test_a_device_file_is_found_by_any_of_its_names(tmp_path: Path) -> None:
    assert device_file(tmp_path) is None
    (tmp_path / "dxg").touch()
    assert device_file(tmp_path) == tmp_path / "dxg"
