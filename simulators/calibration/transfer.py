"""The way of input to a device, fitted to the stamps of an executor that copies in pieces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from policies.latency import Transfer
from simulators.calibration.calibration import NS_IN_MS, OperatingPoint
from simulators.levels.pieces import Pieces

LEAST_MS_PER_BYTE = 1e-12
"""Milliseconds that a byte takes at the least: a bandwidth is finite."""


def fit_transfer(
    points: Sequence[OperatingPoint], bytes_per_stream: int, memory_bytes: int, state_bytes: int
) -> Transfer:
    """The overhead of a piece and the bandwidth that are nearest to how long batches came in.

    Least squares over the median of each number of streams and each size of pieces, relative to
    it. Raises ValueError where no point tells the size of its pieces, or all batches are alike.
    """
    known = Transfer(bytes_per_stream, 0.0, 1.0, memory_bytes, state_bytes)
    rows = [row for point in points for row in _medians(point, known)]
    if len({row[:2] for row in rows}) < 2:
        raise ValueError("all batches came in alike: nothing tells a piece's cost from a byte's")
    pieces, sizes, took_ms, seen = np.array(rows).T
    weights = np.sqrt(seen) / took_ms
    costs = np.stack((pieces, sizes), axis=1) * weights[:, None]
    overhead_ms, ms_per_byte = np.linalg.lstsq(costs, took_ms * weights, rcond=None)[0]
    if overhead_ms < 0.0:
        overhead_ms, ms_per_byte = 0.0, _slope(sizes, took_ms, weights)
    elif ms_per_byte < LEAST_MS_PER_BYTE:
        overhead_ms, ms_per_byte = _slope(pieces, took_ms, weights), LEAST_MS_PER_BYTE
    return replace(
        known,
        overhead_ms=float(overhead_ms),
        bytes_per_ms=float(1.0 / max(ms_per_byte, LEAST_MS_PER_BYTE)),
    )


def without_transfer(point: OperatingPoint) -> OperatingPoint:
    """The batches of a point as if their input had been there: as long as they computed.

    Of a copy only what kept its batch waiting is taken off: none that went on while the batch
    before was computed.
    """
    batches = point.batches.copy()
    fetched_ns, start_ns, ready_ns = (
        batches[name].astype(np.int64) for name in ("fetched_ns", "start_ns", "ready_ns")
    )
    exposed_ns = fetched_ns - np.where(point.waited, start_ns, ready_ns)
    batches["finish_ns"] -= np.maximum(exposed_ns, 0)
    return replace(point, batches=batches)


def _medians(point: OperatingPoint, known: Transfer) -> list[tuple[float, float, float, int]]:
    """Pieces, bytes, median milliseconds and number of the batches of each size."""
    if point.block_bytes is None:
        raise ValueError("a point does not tell the size of its pieces")
    pieces, counts = Pieces.of(known, point.block_bytes), point.counts
    copies = math.ceil(known.bytes_per_stream / point.block_bytes)
    came_ms = (point.batches["fetched_ns"] - point.batches["start_ns"]) / NS_IN_MS
    rows = []
    for count in np.unique(counts).tolist():
        took_ms = float(np.median(came_ms[counts == count]))
        of_this_size = int((counts == count).sum())
        number = float(copies * math.ceil(count / pieces.streams))
        if took_ms > 0.0:
            rows.append((number, float(count * known.bytes_per_stream), took_ms, of_this_size))
    return rows


def _slope(
    amounts: NDArray[np.float64], took_ms: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    """Milliseconds of one of them, where nothing else costs anything."""
    costs = amounts * weights
    return float(costs @ (took_ms * weights) / (costs @ costs))
