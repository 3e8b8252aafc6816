"""Bands of a spectrum as runs of neighbouring bins, so that a thread reads no zero weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.workloads.arrays import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class BandRuns:
    """Band b weighs the bins from `first_bin[b]` on by its part of `weights`.

    That part begins at `weight_start[b]` and ends before `weight_start[b + 1]`. Shapes: (bands,)
    int32, (bands + 1,) int32, (all weights,) float32.
    """

    first_bin: NDArray[np.int32]
    weight_start: NDArray[np.int32]
    weights: FloatArray


def band_runs(weights: FloatArray) -> BandRuns:
    """The bands of a matrix (bins, bands) whose every column has one run that is not zero."""
    heard = weights > 0.0
    first = heard.argmax(axis=0)
    counts = len(heard) - heard[::-1].argmax(axis=0) - first
    ends = first + counts
    flat = [weights[first[band] : ends[band], band] for band in range(len(first))]
    starts = np.concatenate(([0], np.cumsum(counts)))
    return BandRuns(first.astype(np.int32), starts.astype(np.int32), np.concatenate(flat))
