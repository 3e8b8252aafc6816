"""A pipeline in numbers, fitted to the stamps of the executor's own worker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kapellmeister.bench.simulator.twin import VIRTUAL as TRUTH
from policies.knobs import SchedulingClass, Settings, ThreadClass, ThreadClasses
from policies.latency import TabulatedLatency
from simulators.calibration.calibration import fit, predict_bands, replay, sampling_errors, tabulate
from simulators.calibration.virtual_time import play

BLOCKS = 3_000
FITTED = ((60, 32), (110, 32), (150, 32), (60, 64), (110, 64), (150, 64))


@pytest.fixture(scope="module")
def fitted():
    points = [play(TRUTH, *point, BLOCKS, seed) for seed, point in enumerate(FITTED)]
    return fit(points, TRUTH.period_ms, "virtual time")


def test_the_law_that_was_played_is_found_again(fitted):
    assert fitted.compute.per_stream_ms == pytest.approx(0.02, rel=0.03)
    assert fitted.compute.fixed_ms == pytest.approx(0.3, rel=0.05)
    assert fitted.valid_streams == (60, 150)
    assert np.std(fitted.compute.residuals.quiet) == pytest.approx(0.15, rel=0.1)
    assert fitted.compute.correlation < 0.25  # each batch drew for itself


@pytest.mark.parametrize(("streams", "batch_size"), [(90, 32), (130, 64), (140, 32)])
def test_a_point_that_was_not_fitted_is_predicted(fitted, streams, batch_size):
    found = replay(fitted, play(TRUTH, streams, batch_size, BLOCKS, 99), TRUTH.period_ms)
    assert found.errors == pytest.approx((0.0, 0.0, 0.0), abs=0.02)
    if found.measured_miss_rate > 1e-3:
        assert found.miss_rate_error == pytest.approx(0.0, abs=0.2)


def test_neighbours_that_were_slow_together_are_found_to_be_alike():
    apart = play(TRUTH, 128, 32, 3000, 1)
    alike = replace(apart, batches=apart.batches.copy())
    batches, slow = alike.batches, np.random.default_rng(1).choice((1.0, 1.6), 3000)
    begun_ns = 0
    for batch in batches:
        begun_ns = max(int(batch["captured_ns"]), begun_ns)
        batch["ready_ns"] = batch["start_ns"] = begun_ns
        begun_ns += round(0.94e6 * slow[batch["block"]])
        batch["finish_ns"] = begun_ns
    both = [fit([each, play(TRUTH, 60, 64, 3000, 2)], 5.33, "") for each in (apart, alike)]
    assert both[0].compute.correlation + 0.3 < both[1].compute.correlation


def test_one_size_of_batch_tells_nothing():
    with pytest.raises(ValueError, match="one size"):
        fit([play(TRUTH, 64, 64, 50, 1)], TRUTH.period_ms, "")


def test_a_second_of_the_pipeline_lies_within_its_band(fitted):
    (band,) = predict_bands(fitted, (90,), (32,), tolerance=0.05)
    seconds = np.array_split(play(TRUTH, 90, 32, 6_000, 5).latency_ms, 6_000 // 188)
    p99_ms = np.array([np.quantile(each, 0.99) for each in seconds])
    assert np.mean((band.low_ms <= p99_ms) & (p99_ms <= band.high_ms)) > 0.97
    assert band.high_ms < 2 * band.low_ms


def test_a_policy_is_told_what_a_node_does_while_it_is_scheduled_as_it_was_measured(fitted):
    measured = replace(fitted, node_tables=(tabulate(fitted, 32),))
    latency = TabulatedLatency(measured)
    settings = Settings.of({"batch_size": 32, "thread_classes": ThreadClasses()})
    played = play(TRUTH, 140, 32, BLOCKS, 7).miss_rate(TRUTH.period_ms)
    assert latency.miss_rates(settings)[140] == pytest.approx(played, rel=0.5)
    assert latency.miss_rates(settings)[60] == 0.0
    assert latency.miss_rates(settings)[-1] > 0.9
    busy = fitted.utilisation(140, 32)
    assert latency.utilisation(140, settings) == pytest.approx(busy, rel=0.05)
    assert latency.utilisation(10_000, settings) == 1.0
    idle = ThreadClasses(audio=ThreadClass(SchedulingClass.IDLE))
    blocks = settings.turned("vram_block_bytes", 1 << 17)
    others = (settings.turned("batch_size", 64), settings.turned("thread_classes", idle), blocks)
    for other in others:
        assert latency.miss_rates(other) is None
        assert latency.utilisation(140, other) is None


def test_chance_takes_a_long_look_less_far_than_a_short_one():
    parts = [play(TRUTH, 90, 32, 50, seed) for seed in range(40)]
    short, long = sampling_errors(parts[:4]), sampling_errors(parts)
    assert 0.0 < long[0] < short[0] < 0.1


def test_a_thread_that_was_taken_off_its_processor_is_late_and_not_slow(fitted):
    points = [play(TRUTH, *point, 1_500, seed) for seed, point in enumerate(FITTED)]
    for point in points:
        for batch in point.batches[5::200]:
            later = point.batches["block"] == batch["block"]
            later &= point.batches["first"] >= batch["first"]
            point.batches["finish_ns"][later] += 3_000_000
            later &= point.batches["first"] > batch["first"]
            point.batches["start_ns"][later] += 3_000_000
            point.batches["ready_ns"][later] += 3_000_000
    found = fit(points, TRUTH.period_ms, "").compute
    assert max(found.residuals.quiet) < 2.0
    assert max(found.lateness_ms.quiet) == pytest.approx(3.0, abs=0.5)
    assert found.per_stream_ms == pytest.approx(fitted.compute.per_stream_ms, rel=0.02)
