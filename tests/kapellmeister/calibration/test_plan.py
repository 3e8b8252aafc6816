"""Operating points that fit the worker, whatever it is."""

from __future__ import annotations

import pytest

from kapellmeister.calibration.plan import fitted_sizes, make_plan, probe_size

CPU = (8, 16, 32, 64, 128, 256)
DEVICE = tuple(1 << k for k in range(3, 13))


@pytest.mark.parametrize(
    ("batch_sizes", "capacity", "sizes"),
    [
        (CPU, 420, (32, 64)),
        (CPU, 900, (64, 128)),
        (DEVICE, 16_384, (1024, 2048)),
        ((8, 64), 420, (8, 64)),
        ((512, 1024, 2048), 420, (512, 1024)),
        ((16,), 420, (16,)),
    ],
)
def test_the_two_largest_batches_that_every_point_fills_are_fitted(batch_sizes, capacity, sizes):
    assert fitted_sizes(batch_sizes, capacity) == sizes


@pytest.mark.parametrize(
    ("batch_sizes", "size"), [(CPU, 32), ((8, 64), 64), ((8, 16), 16), ((512, 1024), 512)]
)
def test_a_worker_is_first_probed_by_a_batch_of_middling_size(batch_sizes, size):
    assert probe_size(batch_sizes) == size


def test_an_executor_without_blocks_is_measured_at_ten_points_and_held_against_three():
    plan = make_plan(400, CPU, ())
    assert plan.fitted[:3] == ((60, 32), (64, 64), (120, 32))
    assert (len(plan.fitted), len(plan.held_out), plan.blocks) == (10, 3, ())


def test_blocks_are_measured_at_their_smallest_and_their_largest():
    plan = make_plan(400, DEVICE, (1 << 14, 1 << 17, 1 << 22))
    assert plan.blocks == ((180, 64, 1 << 14), (180, 64, 1 << 22))
    assert plan.points[-1] == (180, 64, 1 << 22)
