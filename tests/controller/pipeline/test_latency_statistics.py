"""Figures of the pipeline."""

import numpy as np
import pytest

from controller.executors.batch import BATCH
from controller.pipeline.block_outcomes import Settled
from controller.pipeline.latency_statistics import BatchStatistics, LatencyHistogram, MissTimeline

MS = 1_000_000


def settled(block: int, missed: int) -> Settled:
    return Settled(block, 10, missed, np.zeros(10, np.int64))


def test_quantiles_of_a_histogram_are_within_half_a_per_cent() -> None:
    latency_ns = np.random.default_rng(7).lognormal(13.0, 0.8, 50_000).astype(np.int64)
    histogram = LatencyHistogram()
    for part in np.array_split(latency_ns, 11):
        histogram.add(part)
    for p in (0.5, 0.95, 0.99):
        assert histogram.quantile_ms(p) == pytest.approx(np.quantile(latency_ns, p) / MS, rel=0.006)
    assert histogram.summary()["max"] == latency_ns.max() / MS


def test_a_histogram_of_nothing_has_no_quantile() -> None:
    assert LatencyHistogram().summary() == {"p50": None, "p95": None, "p99": None, "max": None}


def test_recovery_ends_with_the_last_miss_before_three_clean_seconds() -> None:
    timeline = MissTimeline(period_s=0.5)
    for block in range(40):
        timeline.add(settled(block, missed=1 if block in (2, 11, 13, 30) else 0))
    assert timeline.recovery_s(onset_s=5.0, end_s=20.0) == 2.0


def test_recovery_is_immediate_where_nothing_is_missed() -> None:
    assert MissTimeline(0.5).recovery_s(onset_s=5.0, end_s=20.0) == 0.0


def test_recovery_is_unknown_where_no_three_seconds_stay_clean() -> None:
    timeline = MissTimeline(period_s=0.5)
    for block in range(40):
        timeline.add(settled(block, missed=block % 4 // 3))
    assert timeline.recovery_s(onset_s=5.0, end_s=20.0) is None


def test_the_miss_rate_is_counted_from_a_second_on() -> None:
    timeline = MissTimeline(period_s=0.5)
    for block, missed in enumerate((10, 10, 0, 0, 5, 0)):
        timeline.add(settled(block, missed))
    assert timeline.miss_rate_from(1.0) == 5 / 40
    assert timeline.miss_rate_from(9.0) is None


def test_a_block_that_waited_for_the_previous_one_counts_as_queued() -> None:
    batches = np.zeros(4, BATCH)
    batches["block"] = [0, 1, 2, 3]
    batches["captured_ns"] = [0, 5 * MS, 10 * MS, 15 * MS]
    batches["ready_ns"] = [0, 6 * MS, 10 * MS, 15 * MS]
    batches["start_ns"] = batches["ready_ns"] + 100_000
    batches["fetched_ns"] = batches["computed_ns"] = batches["start_ns"]
    batches["finish_ns"] = batches["start_ns"] + 2 * MS
    batches["cpu_ns"] = MS
    statistics = BatchStatistics()
    statistics.add(batches)
    summary = statistics.summary()
    assert summary["queue_share"] == 0.25
    assert summary["service_inflation"] == 2.0
    assert summary["cpu_ms_per_block"] == 1.0
