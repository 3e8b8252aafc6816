"""The catalogue of kernels: their source, their launch by sizes, and their twin on arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from controller.workloads.cuda.launch import Launch, even_threads, pieces
from controller.workloads.cuda.on_arrays.bands import bands_and_levels
from controller.workloads.cuda.on_arrays.biquads import biquad_bank
from controller.workloads.cuda.on_arrays.measures import magnitude_column, spectral_measures
from controller.workloads.cuda.on_arrays.overlap import overlap_frames, overlap_tail
from controller.workloads.cuda.on_arrays.partitioned_convolution import mix_spectra
from controller.workloads.cuda.on_arrays.states import begin_states
from controller.workloads.cuda.on_arrays.sums import both_ears, sum_partials, sum_streams
from controller.workloads.cuda.on_arrays.window_history import window_history


@dataclass(frozen=True, slots=True)
class Kernel:
    """A `__global__` function and what stands for it where there is no device.

    `name` is that of the function, `source` its file in this folder. `shape` takes the kernel's
    sizes, its last arguments, in their order. `on_arrays` takes all its arguments, with arrays
    in place of pointers, writes in place and gives no result. To the kernel itself sizes
    go as int32.
    """

    name: str
    source: str
    shape: Callable[..., Launch]
    on_arrays: Callable[..., None]


def _block_a_row(threads: int) -> Callable[..., Launch]:
    return lambda n, *_sizes: Launch((n, 1), (threads, 1))


def _thread_a_sample_of_a_row(n: int, period: int) -> Launch:
    threads = even_threads(period, 256)
    return Launch((n, pieces(period, threads)), (threads, 1))


def _thread_a_sample_of_two_ears(period: int) -> Launch:
    return Launch((pieces(2 * period, 128), 1), (128, 1))


def _thread_a_bin_of_a_chunk(n: int, bins: int, _partitions: int, rows_per_chunk: int) -> Launch:
    threads = even_threads(bins, 512)
    return Launch((pieces(n, rows_per_chunk), pieces(bins, threads)), (threads, 1))


def _thread_a_sample_of_a_chunk(n: int, period: int, rows_per_chunk: int) -> Launch:
    return Launch((pieces(n, rows_per_chunk), pieces(period, 128)), (128, 1))


def _warp_a_chunk(n: int, _period: int, _sections: int, rows_per_chunk: int) -> Launch:
    return Launch((pieces(n, rows_per_chunk), 1), (32, 1))


def _warps_down_the_chunks(_chunks: int, size: int) -> Launch:
    return Launch((pieces(size, 32), 1), (32, 16))


BEGIN_STATES: Final = Kernel("begin_states", "states.cu", _block_a_row(128), begin_states)
WINDOW_HISTORY: Final = Kernel(
    "window_history", "window_history.cu", _block_a_row(256), window_history
)
OVERLAP_FRAMES: Final = Kernel(
    "overlap_frames", "overlap.cu", _thread_a_sample_of_a_row, overlap_frames
)
OVERLAP_TAIL: Final = Kernel(
    "overlap_tail", "overlap.cu", _thread_a_sample_of_two_ears, overlap_tail
)
MIX_SPECTRA: Final = Kernel(
    "mix_spectra", "partitioned_convolution.cu", _thread_a_bin_of_a_chunk, mix_spectra
)
SUM_PARTIALS: Final = Kernel("sum_partials", "sums.cu", _warps_down_the_chunks, sum_partials)
SUM_STREAMS: Final = Kernel("sum_streams", "sums.cu", _thread_a_sample_of_a_chunk, sum_streams)
BOTH_EARS: Final = Kernel("both_ears", "sums.cu", _thread_a_sample_of_two_ears, both_ears)
BIQUAD_BANK: Final = Kernel("biquad_bank", "biquads.cu", _warp_a_chunk, biquad_bank)
SPECTRAL_MEASURES: Final = Kernel(
    "spectral_measures", "measures.cu", _block_a_row(128), spectral_measures
)
MAGNITUDE_COLUMN: Final = Kernel(
    "magnitude_column", "measures.cu", _block_a_row(192), magnitude_column
)
BANDS_AND_LEVELS: Final = Kernel(
    "bands_and_levels", "bands.cu", _block_a_row(160), bands_and_levels
)

KERNELS: Final = (
    BEGIN_STATES,
    WINDOW_HISTORY,
    OVERLAP_FRAMES,
    OVERLAP_TAIL,
    MIX_SPECTRA,
    SUM_PARTIALS,
    SUM_STREAMS,
    BOTH_EARS,
    BIQUAD_BANK,
    SPECTRAL_MEASURES,
    MAGNITUDE_COLUMN,
    BANDS_AND_LEVELS,
)
"""Kernels in all, in the order in which a block of sound meets them."""
