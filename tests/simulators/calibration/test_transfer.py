"""The cost of copies, from the stamps of batches that came in in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from controller.executors.batch import BATCH
from simulators.calibration.calibration import OperatingPoint
from simulators.calibration.transfer import fit_transfer, without_transfer

KNOWN = (1024, 1 << 30, 17_664)
"""Bytes that a stream brings, bytes of the arena, and bytes that a stream holds."""


def point(streams, block_bytes, came_ms, *, ready_ms=None, computed_ms=1.0):
    """Ten batches of all streams, a period of 10 ms apart, each of which came in for so long."""
    batches = np.zeros(10, BATCH)
    batches["block"] = np.arange(10)
    batches["count"] = streams
    batches["captured_ns"] = 10_000_000 * np.arange(10)
    batches["start_ns"] = batches["captured_ns"]
    batches["ready_ns"] = batches["captured_ns"] + round(1e6 * (ready_ms or 0.0))
    batches["fetched_ns"] = batches["start_ns"] + round(1e6 * came_ms)
    begun_ns = np.maximum(batches["fetched_ns"], batches["ready_ns"])
    batches["finish_ns"] = begun_ns + round(1e6 * computed_ms)
    return OperatingPoint(streams, streams, 10, batches, block_bytes)


def test_overhead_and_bandwidth_follow_from_pieces_of_two_sizes():
    """256 KiB at 2 GB/s and 16 or 1 pieces at 0.01 ms."""
    points = [point(256, 1 << 14, 0.16 + 0.131072), point(256, 1 << 18, 0.01 + 0.131072)]
    found = fit_transfer(points, *KNOWN)
    assert found.overhead_ms == pytest.approx(0.01, rel=1e-3)
    assert found.bytes_per_ms == pytest.approx(2e6, rel=1e-3)
    assert (found.bytes_per_stream, found.memory_bytes, found.state_bytes) == KNOWN


def test_where_only_bytes_cost_there_is_no_overhead():
    points = [point(64, 1 << 14, 0.07), point(256, 1 << 14, 0.29), point(256, 1 << 18, 0.31)]
    assert fit_transfer(points, *KNOWN).overhead_ms == 0.0


def test_where_only_pieces_cost_the_bandwidth_is_without_limit_and_finite():
    points = [point(256, 1 << 14, 1.6), point(256, 1 << 18, 0.1)]
    found = fit_transfer(points, *KNOWN)
    assert found.overhead_ms == pytest.approx(0.1, rel=0.05)
    assert 1e9 < found.bytes_per_ms < 1e13


def test_batches_that_are_all_alike_tell_nothing():
    with pytest.raises(ValueError, match="all batches came in alike"):
        fit_transfer([point(256, 1 << 14, 0.3)], *KNOWN)


def test_blocks_of_unknown_size_tell_nothing():
    with pytest.raises(ValueError, match="does not tell the size of its pieces"):
        fit_transfer([point(256, None, 0.3)], *KNOWN)


@pytest.mark.parametrize(
    ("came_ms", "ready_ms"),
    [(0.4, None), (0.4, 0.9), (0.4, 0.2)],
    ids=["after a sleep", "copied while another was computed", "copied partly beside it"],
)
def test_without_the_copy_the_time_of_computing_is_left(came_ms, ready_ms):
    computing = without_transfer(point(256, 1 << 14, came_ms, ready_ms=ready_ms))
    np.testing.assert_allclose(computing.service_ms, 1.0, rtol=1e-6)
