"""Convolution in the frequency domain, summed over streams; see `hrtf.HrtfRenderer`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.workloads.cuda.layout import COMPLEX_BYTES, delay_line_at
from controller.workloads.cuda.on_arrays.arena import Arena, LongArray, runs, used_rows


def mix_spectra(
    arena: Arena,
    rows: LongArray,
    responses: LongArray,
    step: LongArray,
    spectra: NDArray[np.complex64],
    partial: NDArray[np.complex64],
    n: int,
    bins: int,
    partitions: int,
    rows_per_chunk: int,
) -> None:
    """Store `spectra` (n, bins) in the rows' delay lines, and mix each chunk of rows to two ears.

    `responses` (n,): offset in bytes of each row's response, (partitions, 2 ears, bins). The
    spectrum of p steps ago, at ring place (step - p) % partitions, meets partition p.
    `partial`: (chunks, 2, bins), where chunks = ceil(n / rows_per_chunk).
    """
    delay, filters = runs(arena, np.complex64, bins), runs(arena, np.complex64, 2 * bins)
    ages = np.arange(partitions)
    places = (int(step[0]) - ages) % partitions * bins
    for chunk, first in enumerate(range(0, n, rows_per_chunk)):
        used = used_rows(rows, first, min(n, first + rows_per_chunk))
        lines = (rows[used] + delay_line_at(bins - 1)) // COMPLEX_BYTES
        delay[lines + places[0]] = spectra[used]
        past = delay[lines[:, None] + places]
        response = filters[responses[used, None] // COMPLEX_BYTES + ages * 2 * bins]
        heard = response.reshape(len(used), partitions, 2, bins)
        np.multiply(past[:, :, None], heard, out=heard)
        summed = heard.reshape(-1, 2 * bins).view(np.float32).sum(axis=0)
        partial[chunk] = summed.view(np.complex64).reshape(2, bins)
