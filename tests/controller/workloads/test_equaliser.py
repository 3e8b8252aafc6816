import numpy as np
import pytest
from playback import PERIOD, as_host, play, silent_before
from scipy.signal import sosfilt, sosfreqz

from controller.workloads.backends import numpy_backend
from controller.workloads.filters import (
    BiquadCascade,
    equalisers,
    high_shelf,
    low_shelf,
    peaking,
)
from controller.workloads.workload import WorkloadSettings

TOLERANCE = 2e-6  # absolute, for streams near full scale: single precision on the bus


def as_scipy_sections(cascade):
    return np.insert(cascade, 3, 1.0, axis=-1)


def heard_by_scipy(streams, coefficients):
    filtered = [
        sosfilt(as_scipy_sections(cascade), stream.astype(np.float64))
        for cascade, stream in zip(coefficients, streams, strict=True)
    ]
    return np.sum(filtered, axis=0)


def gain_db(section, frequency_hz):
    _, response = sosfreqz(as_scipy_sections(np.array([section])), [frequency_hz], fs=48_000)
    return float(20.0 * np.log10(np.abs(response[0])))


@pytest.mark.parametrize("period", [256, 64, 100])
def test_filtering_equals_scipy_across_blocks_and_joining_streams(backend, streams, period):
    joins = [0, 7, 3, 3, 20, 39]
    cascade = BiquadCascade(WorkloadSettings(48_000, period, 6), backend)
    bus = play(cascade, streams, joins, period)
    joined = silent_before(streams, joins, period)[:, : bus.shape[1]]
    expected = heard_by_scipy(joined, equalisers(6, 48_000))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(bus[0], expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(bus[0], bus[1])


def test_more_streams_than_lanes_are_all_heard(backend):
    noise = np.random.default_rng(3).standard_normal((37, 5 * PERIOD)).astype(np.float32) / 37
    cascade = BiquadCascade(WorkloadSettings(48_000, PERIOD, 37), backend)
    expected = heard_by_scipy(noise, equalisers(37, 48_000))
    np.testing.assert_allclose(play(cascade, noise)[0], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("sample_rate_hz", [44_100, 48_000, 96_000])
def test_after_its_memory_every_filter_has_forgotten_to_minus_120_db(sample_rate_hz):
    settings = WorkloadSettings(sample_rate_hz, PERIOD, 128)
    memory_frames = BiquadCascade(settings, numpy_backend()).memory_blocks * PERIOD
    impulse = np.zeros(memory_frames + 4096)
    impulse[0] = 1.0
    for cascade in equalisers(128, sample_rate_hz):
        ringing = sosfilt(as_scipy_sections(cascade), impulse)
        assert np.abs(ringing[memory_frames:]).sum() < 1e-6


def test_a_replayed_stream_continues_within_its_stated_decay(backend, streams):
    settings = WorkloadSettings(48_000, PERIOD, 6)
    stayed, moved = BiquadCascade(settings, backend), BiquadCascade(settings, backend)
    slot, signal = np.array([2]), streams[2:3].reshape(-1, 1, PERIOD)
    expected = [as_host(stayed.process(block, slot)) for block in signal][-1]
    for block in signal[len(signal) - 1 - moved.memory_blocks : -1]:
        moved.process(block, slot)
    heard = as_host(moved.process(signal[-1], slot))
    np.testing.assert_allclose(heard, expected, rtol=0, atol=2e-6)


def test_a_reset_slot_is_at_rest(backend, streams):
    cascade = BiquadCascade(WorkloadSettings(48_000, PERIOD, 6), backend)
    play(cascade, streams)
    silence = np.zeros((6, PERIOD), dtype=np.float32)
    assert np.abs(as_host(cascade.process(silence, np.arange(6)))).max() > 0.0
    cascade.reset(np.arange(6))
    assert np.abs(as_host(cascade.process(silence, np.arange(6)))).max() == 0.0


def test_a_peaking_filter_has_its_gain_at_its_centre_and_none_far_away():
    section = peaking(1000.0, 6.0, 1.0, 48_000.0)
    assert gain_db(section, 1000.0) == pytest.approx(6.0, abs=1e-9)
    assert gain_db(section, 20.0) == pytest.approx(0.0, abs=0.01)
    assert gain_db(section, 20_000.0) == pytest.approx(0.0, abs=0.01)


def test_shelves_lift_their_side_and_half_of_it_at_the_corner():
    low, high = low_shelf(200.0, 6.0, 48_000.0), high_shelf(5000.0, -8.0, 48_000.0)
    assert [gain_db(low, hz) for hz in (1.0, 200.0, 20_000.0)] == pytest.approx(
        [6.0, 3.0, 0.0], abs=0.01
    )
    assert [gain_db(high, hz) for hz in (10.0, 5000.0, 23_990.0)] == pytest.approx(
        [0.0, -4.0, -8.0], abs=0.01
    )
