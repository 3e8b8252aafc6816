import inspect
import re

import numpy as np
import pytest
from host_kernels import SOURCES
from state_arena import FFT, PICTURE, SPECTROGRAM, filters, hrtf

from controller.workloads.cuda import layout
from controller.workloads.cuda.kernels import (
    BANDS_AND_LEVELS,
    BIQUAD_BANK,
    KERNELS,
    MIX_SPECTRA,
    OVERLAP_FRAMES,
    OVERLAP_TAIL,
    SUM_PARTIALS,
    SUM_STREAMS,
    WINDOW_HISTORY,
)
from controller.workloads.cuda.launch import Launch, mixed_rows
from controller.workloads.cuda.responses import response_spectra


def functions(source):
    """Each `__global__` function of a file: its name, and type and name of each parameter."""
    text = re.sub(r" __launch_bounds__\([^)]*\)", "", (SOURCES / source).read_text())
    found = re.findall(r"__global__ void (\w+)\(([^)]*)\)", text)
    return {name: [one.rpartition(" ")[::2] for one in " ".join(listed.split()).split(", ")]
            for name, listed in found}  # fmt: skip


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_a_kernel_and_its_twin_take_the_same_arguments(kernel):
    parameters = functions(kernel.source)[kernel.name]
    twin = inspect.signature(kernel.on_arrays, eval_str=True).parameters
    assert [name for _, name in parameters] == list(twin)
    sizes = [name for name, parameter in twin.items() if parameter.annotation is int]
    assert [name for type_, name in parameters if type_ == "int"] == sizes
    assert list(twin)[-len(sizes) :] == sizes


def test_every_function_of_the_sources_is_in_the_catalogue():
    sources = [path.name for path in SOURCES.glob("*.cu")]
    found = {(source, name) for source in sources for name in functions(source)}
    assert found == {(kernel.source, kernel.name) for kernel in KERNELS}


@pytest.mark.parametrize(
    ("kernel", "sizes", "grid", "block"),
    [
        (WINDOW_HISTORY, (4096, 256), (4096, 1), (256, 1)),
        (OVERLAP_FRAMES, (4096, 256), (4096, 1), (256, 1)),
        (OVERLAP_FRAMES, (64, 480), (64, 2), (256, 1)),
        (OVERLAP_TAIL, (48,), (1, 1), (128, 1)),
        (MIX_SPECTRA, (4096, 257, 8, 8), (512, 1), (288, 1)),
        (MIX_SPECTRA, (10, 1025, 2, 4), (3, 3), (352, 1)),
        (SUM_PARTIALS, (512, 1028), (33, 1), (32, 16)),
        (SUM_STREAMS, (4096, 256, 32), (128, 2), (128, 1)),
        (BIQUAD_BANK, (4096, 256, 4, 32), (128, 1), (32, 1)),
        (BANDS_AND_LEVELS, (7, 256), (7, 1), (160, 1)),
    ],
)
def test_sizes_tell_how_many_threads_run(kernel, sizes, grid, block):
    assert kernel.shape(*sizes) == Launch(grid, block)


@pytest.mark.parametrize(
    ("rows", "multiprocessors", "each"), [(4096, 132, 8), (64, 132, 1), (512, 1, 128)]
)
def test_mixing_fills_a_device_once(rows, multiprocessors, each):
    assert mixed_rows(rows, multiprocessors) == each


def test_states_take_the_bytes_of_what_they_hold():
    assert layout.hrtf_state_bytes(256, 8) == 17_472 == hrtf(256, 8).itemsize
    assert layout.hrtf_state_bytes(48, 3) == 1432 == hrtf(48, 3).itemsize
    assert layout.filters_state_bytes(4) == 224 == filters(4).itemsize
    assert layout.FFT_STATE_BYTES == 6160 == FFT.itemsize
    assert layout.SPECTROGRAM_STATE_BYTES == 266_752 == SPECTROGRAM.itemsize
    assert layout.VISUALISATION_STATE_BYTES == 84_736 == PICTURE.itemsize


def test_spectra_of_responses_take_the_bytes_that_are_asked_for():
    spectra = response_spectra(np.ones((3, 2, 600), dtype=np.float32), 256)
    assert spectra.shape == (3, 3, 2, 257)
    assert layout.response_bytes(256, 3) == 12_336 == spectra[0].nbytes
    assert spectra[:, :, :, 0].real.tolist() == [[[256, 256], [256, 256], [88, 88]]] * 3
