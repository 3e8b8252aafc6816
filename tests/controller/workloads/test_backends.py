import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import scipy.fft
import scipy.sparse

from controller.errors import PlugInError
from controller.workloads.backend import tiled
from controller.workloads.backends import array_backend, cupy_backend, numpy_backend
from controller.workloads.filters import equalisers


@pytest.fixture(scope="module")
def pair():
    return numpy_backend(), array_backend("array", np, scipy.fft, scipy.sparse)


def test_compiled_and_array_mixing_push_and_sum_the_same(pair):
    random = np.random.default_rng(0)
    bins, tiles, partitions = 129, 9, 3
    slots, filter_of_slot = np.array([4, 0, 3]), np.array([0, 1, 1, 0, 1])
    filters = random.standard_normal((2, partitions, tiles, 2, 2, 16)).astype(np.float32)
    lines = [backend.zeros((5, partitions, tiles, 2, 16), np.float32) for backend in pair]
    newest = [np.zeros(5, dtype=np.intp) for _ in pair]
    for _ in range(5):
        spectra = random.standard_normal((3, bins)) + 1j * random.standard_normal((3, bins))
        compiled, array = (
            backend.mix_spectra(
                spectra.astype(np.complex64), slots, line, head, filters, filter_of_slot
            )
            for backend, line, head in zip(pair, lines, newest, strict=True)
        )
        np.testing.assert_allclose(compiled, array, rtol=0, atol=2e-5)
        np.testing.assert_array_equal(lines[0], lines[1])
        np.testing.assert_array_equal(newest[0], newest[1])
    assert np.abs(compiled).max() > 1.0


def test_tiles_hold_sixteen_real_parts_before_their_imaginary_ones():
    spectrum = np.arange(20) + 1j * np.arange(100, 120)
    tiles = tiled(spectrum)
    assert tiles.shape == (2, 2, 16)
    assert tiles[0].tolist() == [list(range(16)), list(range(100, 116))]
    assert tiles[1, :, :5].tolist() == [[16, 17, 18, 19, 0], [116, 117, 118, 119, 0]]


@pytest.mark.parametrize("shape", [3, (5, 7), (2, 3, 4, 5)])
def test_state_of_the_compiled_loops_begins_on_a_cache_line(pair, shape):
    for dtype in (np.float32, np.float64):
        zeros = pair[0].zeros(shape, dtype)
        assert zeros.ctypes.data % 64 == 0
        assert zeros.shape == (shape if isinstance(shape, tuple) else (shape,))
        assert zeros.dtype == dtype
        assert not zeros.any()


def test_compiled_and_array_filtering_give_the_same_sound_and_state(pair):
    random = np.random.default_rng(0)
    banks = [backend.biquad_bank(equalisers(20, 48_000), 256) for backend in pair]
    states = [np.zeros((20, 4, 2)) for _ in pair]
    slots = np.array([19, 3, 7, 0, 11])
    for _ in range(5):
        blocks = random.uniform(-1, 1, (5, 256)).astype(np.float32)
        compiled, array = (
            bank(blocks, slots, state) for bank, state in zip(banks, states, strict=True)
        )
        np.testing.assert_allclose(compiled, array, rtol=0, atol=2e-6)
        np.testing.assert_allclose(states[0], states[1], rtol=0, atol=1e-9)
    assert np.abs(compiled).max() > 0.1
    assert not states[0][1].any()


def test_a_filter_that_rings_out_comes_to_rest_instead_of_slowing_down(pair):
    compiled = pair[0].biquad_bank(equalisers(1, 48_000), 256)
    state, silence = np.full((1, 4, 2), 0.5), np.zeros((1, 256), dtype=np.float32)
    for _ in range(200):
        compiled(silence, np.array([0]), state)
    assert not state.any()


def test_without_cupy_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(PlugInError, match=r"kapellmeister\[gpu-cuda12\]") as error:
        cupy_backend()
    assert "\n" not in str(error.value)


def test_without_a_device_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", cupy_without_device())
    for name in ("cupyx", "cupyx.scipy"):
        package = ModuleType(name)
        package.scipy, package.fft, package.sparse = scipy, scipy.fft, scipy.sparse
        monkeypatch.setitem(sys.modules, name, package)
    with pytest.raises(PlugInError, match=r"no device found.*nvidia-smi"):
        cupy_backend()


def cupy_without_device():
    class CUDARuntimeError(RuntimeError):
        pass

    def refuse():
        raise CUDARuntimeError("no device found")

    cupy = ModuleType("cupy")
    runtime = SimpleNamespace(CUDARuntimeError=CUDARuntimeError, getDeviceCount=refuse)
    cupy.cuda = SimpleNamespace(runtime=runtime)
    return cupy


@pytest.mark.gpu
def test_a_device_that_is_present_is_used():
    try:
        backend = cupy_backend()
    except PlugInError as error:
        pytest.skip(str(error))
    assert backend.name == "cupy"


def test_the_contract_loads_neither_compiler_nor_file_libraries():
    heavy = "{'numba', 'scipy', 'sofar', 'soundfile', 'soxr', 'netCDF4'}"
    program = (
        "import sys, controller.workloads.workload, controller.workloads.backend, "
        f"controller.sound, controller.workloads.hrir; print(sorted({heavy} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
