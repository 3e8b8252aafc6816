"""A path runs between the samples of a trace, and nothing of it knows the future."""

from __future__ import annotations

import numpy as np
import pytest

from controller.errors import TraceError
from controller.load.trace import LoadTrace
from simulators.loads.load_path import DAY_S, realise

HOUR_S = 3600.0


def trace(values, step_s=300.0, name="t"):
    times = tuple(step_s * k for k in range(len(values)))
    return LoadTrace(name, times, tuple(values))


def wave(days=2.0, peak=800.0):
    k = np.arange(int(days * DAY_S / 300.0))
    return trace(tuple((peak * (0.55 - 0.45 * np.cos(2 * np.pi * k / 288))).tolist()))


def test_the_same_seed_is_the_same_path_and_another_seed_another():
    one, same, other = (realise(wave(), 15.0, seed).streams for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.5


@pytest.mark.parametrize("cut", [40, 100, 301])
def test_nothing_of_a_path_depends_on_a_later_sample(cut):
    base = wave(days=1.5)
    changed = list(base.streams)
    changed[cut:] = [5000.0] * (len(changed) - cut)
    paths = [realise(each, 15.0, seed=3) for each in (base, trace(tuple(changed)))]
    steps = cut * 20
    assert paths[0].streams.size == paths[1].streams.size
    np.testing.assert_array_equal(paths[0].streams[:steps], paths[1].streams[:steps])
    assert (paths[0].streams[steps : steps + 20] != paths[1].streams[steps : steps + 20]).any()


def test_the_slope_within_an_interval_says_nothing_of_its_rest():
    walk = 50_000.0 + np.cumsum(np.random.default_rng(2).normal(0.0, 900.0, 4000))
    path = realise(trace(tuple(walk)), 15.0, seed=1).streams[20_000:].astype(float)
    within = path.reshape(-1, 20)
    begun, rest = within[:, 10] - within[:, 0], within[:, 19] - within[:, 10]
    assert abs(np.corrcoef(begun, rest)[0, 1]) < 0.05


def test_the_path_reaches_a_sample_when_the_next_one_comes():
    path = realise(trace((400.0,) * 100 + (4000.0,) * 100), 15.0, seed=1).streams
    assert path[100 * 20] < 600.0
    assert path[101 * 20] == pytest.approx(4000.0, rel=0.1)


def test_a_burst_does_not_shake_the_day_after_it():
    path = realise(trace((10.0,) * 600 + (5000.0,) + (10.0,) * 299), 15.0, seed=1).streams
    assert path[603 * 20 :].max() < 150.0


def test_the_path_keeps_to_the_level_of_its_samples():
    path = realise(trace((400.0,) * 600), 15.0, seed=1)
    assert path.streams.mean() == pytest.approx(400.0, rel=0.02)
    assert path.streams.std() == pytest.approx(20.0, rel=0.25)  # a Poisson number of streams


def test_increments_of_the_trace_set_how_far_the_path_wanders():
    generator = np.random.default_rng(5)
    steady = trace(tuple((5000.0 + 0.0 * generator.standard_normal(2000)).tolist()))
    rough = trace(
        tuple((5000.0 + np.cumsum(generator.normal(0, 300, 2000)).clip(-4000, 9000)).tolist())
    )

    def spread(of):
        streams = realise(of, 15.0, seed=1).streams[20_000:].reshape(-1, 20)
        return np.median(streams.std(axis=1))

    assert spread(rough) > 1.5 * spread(steady)


def test_a_gap_is_unobserved_and_unscored_and_a_long_silence_is_a_gap():
    values = [100.0] * 200
    values[150:160] = [None] * 10
    path = realise(trace(tuple(values)), 15.0, seed=1)
    assert not path.known[150 * 20 : 160 * 20].any()
    assert path.known[:3000].all()
    assert not path.scored[150 * 20 : 160 * 20].any()
    times = [300.0 * k for k in range(100)] + [300.0 * k for k in range(140, 200)]
    silent = LoadTrace("t", tuple(times), (100.0,) * 160)
    path = realise(silent, 15.0, seed=1)
    assert not path.known[99 * 20 : 139 * 20].any()


def test_a_quarter_of_a_short_trace_warms_up_and_a_week_of_a_long_one():
    assert realise(wave(2.0), 15.0, 1).warm_up_steps == 2.0 * DAY_S / 4 / 15.0
    long = realise(wave(40.0), 60.0, 1)
    assert long.warm_up_steps == 7 * DAY_S / 60.0
    last = realise(wave(40.0), 60.0, 1, last_days=14.0)
    assert (last.warm_up_steps, last.streams.size) == (7 * 1440, 21 * 1440)


def test_more_days_than_there_are_score_what_is_left_after_the_warm_up():
    path = realise(wave(4.0), 60.0, 1, last_days=14.0)
    assert (path.warm_up_steps, path.streams.size) == (1440, 4 * 1440)


def test_a_path_from_a_later_step_keeps_its_clock():
    path = realise(wave(), 15.0, 1)
    later = path.from_step(100)
    assert (later.begin_s, later.warm_up_steps) == (1500.0, path.warm_up_steps - 100)
    np.testing.assert_array_equal(later.time_s, path.time_s[100:])


def test_a_trace_too_short_to_tick_is_refused():
    with pytest.raises(TraceError, match="too short"):
        realise(trace((10.0, 11.0), step_s=5.0), 15.0, 1)


def test_the_peak_is_scaled_and_noise_may_pass_it():
    path = realise(wave(), 15.0, 1, peak_streams=2000)
    assert 1900 < path.streams.max() < 2400
