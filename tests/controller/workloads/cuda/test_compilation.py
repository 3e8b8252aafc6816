"""NVRTC makes code for real devices without one."""

import re
import warnings

import pytest
from host_kernels import SOURCES

from controller.workloads.cuda.kernels import KERNELS

ARCHITECTURES = ("sm_80", "sm_90", "sm_100", "sm_120")
MOST_REGISTERS = 64


@pytest.fixture(scope="module")
def nvrtc():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy's own, of installations beside it
        cupy = pytest.importorskip("cupy", reason="CuPy, which compiles kernels, is not installed")
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:  # noqa: BLE001 - of several kinds, by what is missing
        pytest.skip(f"NVRTC cannot be used: {error}")
    return cupy.cuda.nvrtc


def compiled(nvrtc, source, architecture):
    """The code for an architecture, and what the compiler tells of it."""
    program = nvrtc.createProgram((SOURCES / source).read_text(), source, (), ())
    options = ("--std=c++17", f"--gpu-architecture={architecture}", "--ptxas-options=-v")
    try:
        nvrtc.compileProgram(program, options)
        return nvrtc.getCUBIN(program), nvrtc.getProgramLog(program)
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    finally:
        nvrtc.destroyProgram(program)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("source", sorted({kernel.source for kernel in KERNELS}))
def test_kernels_compile_into_registers_alone(nvrtc, source, architecture):
    code, log = compiled(nvrtc, source, architecture)
    names = {kernel.name for kernel in KERNELS if kernel.source == source}
    assert set(re.findall(r"Compiling entry function '(\w+)'", log)) == names
    assert all(name.encode() in code for name in names)
    registers = [int(count) for count in re.findall(r"Used (\d+) registers", log)]
    assert len(registers) == len(names)
    assert max(registers) <= MOST_REGISTERS
    spilled = re.findall(r"(\d+) bytes (?:stack frame|spill stores|spill loads)", log)
    assert spilled == ["0"] * 3 * len(names)
    assert "warning" not in log
