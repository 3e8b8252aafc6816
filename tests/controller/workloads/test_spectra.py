import numpy as np
import pytest
from playback import PERIOD, as_host, play, silent_before
from scipy.signal import stft

from controller.workloads.fft import SpectralAnalysis
from controller.workloads.spectrogram import COLUMNS, Spectrogram
from controller.workloads.workload import WorkloadSettings

TOLERANCE = 1e-6  # absolute, for streams near full scale


def sine(frequency_hz, amplitude, blocks=8):
    time_s = np.arange(blocks * PERIOD) / 48_000
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time_s))[None].astype(np.float32)


def magnitudes_by_scipy(streams, hop):
    """One column per block: the window ends where the block ends, silence before the beginning."""
    padded = np.pad(streams.astype(np.float64), ((0, 0), (1024 - hop, 0)))
    _, _, spectra = stft(
        padded, window="hann", nperseg=1024, noverlap=1024 - hop, boundary=None, padded=False
    )
    return 2.0 * np.abs(spectra).swapaxes(1, 2)


@pytest.mark.parametrize("hop", [256, 100, 1024])
def test_every_column_equals_the_transform_of_scipy(backend, streams, hop):
    joins = [0, 2, 1, 1, 5, 9]
    spectrogram = Spectrogram(WorkloadSettings(48_000, hop, 6), backend)
    bus = play(spectrogram, streams, joins, hop)
    joined = silent_before(streams, joins, hop)[:, : bus.shape[1]]
    expected = magnitudes_by_scipy(joined, hop)
    for slot, join in enumerate(joins):
        columns = as_host(spectrogram.columns(slot))
        drawn = min(COLUMNS, bus.shape[1] // hop - join)
        theirs = expected[slot, expected.shape[1] - drawn :]
        np.testing.assert_allclose(columns[-drawn:], theirs, rtol=0, atol=TOLERANCE)
        assert not columns[:-drawn].any()


def test_a_stream_that_is_looked_at_is_heard_dry_in_both_ears(backend, streams):
    for workload in (Spectrogram, SpectralAnalysis):
        bus = play(workload(WorkloadSettings(48_000, PERIOD, 6), backend), streams)
        np.testing.assert_allclose(bus[0], streams.sum(axis=0), rtol=0, atol=1e-6)
        np.testing.assert_array_equal(bus[0], bus[1])


def test_the_latest_magnitudes_equal_those_of_scipy(backend, streams):
    analysis = SpectralAnalysis(WorkloadSettings(48_000, PERIOD, 6), backend)
    play(analysis, streams)
    expected = magnitudes_by_scipy(streams, PERIOD)[:, -1]
    np.testing.assert_allclose(as_host(analysis.magnitudes), expected, rtol=0, atol=TOLERANCE)


def test_a_sine_is_measured_for_what_it_is(backend):
    analysis = SpectralAnalysis(WorkloadSettings(48_000, PERIOD, 3), backend)
    tone = sine(3000.0, 0.5)  # the centre of bin 64
    for index in range(8):
        block = np.ascontiguousarray(tone[:, index * PERIOD : (index + 1) * PERIOD])
        analysis.process(block, np.array([2]))
    measures = analysis.measures(2)
    assert measures is not None
    assert measures.level_dbfs == pytest.approx(-6.02, abs=0.01)
    assert measures.peak_hz == 3000.0
    assert measures.centroid_hz == pytest.approx(3000.0, abs=5.0)
    assert as_host(analysis.magnitudes)[2, 64] == pytest.approx(0.5, abs=1e-5)


def test_silence_has_no_measures(backend):
    analysis = SpectralAnalysis(WorkloadSettings(48_000, PERIOD, 1), backend)
    assert analysis.measures(0) is None
    play(analysis, sine(1000.0, 0.5))
    assert analysis.measures(0) is not None
    analysis.reset(np.array([0]))
    assert analysis.measures(0) is None
    analysis.process(np.zeros((1, PERIOD), dtype=np.float32), np.array([0]))
    assert analysis.measures(0) is None


@pytest.mark.parametrize(("period", "blocks"), [(256, 3), (100, 10), (1024, 0), (2048, 0)])
def test_replaying_the_memory_restores_the_newest_column(backend, streams, period, blocks):
    settings = WorkloadSettings(48_000, period, 6)
    stayed, moved = Spectrogram(settings, backend), Spectrogram(settings, backend)
    assert moved.memory_blocks == blocks
    play(stayed, streams, period=period)
    held = streams.shape[1] // period * period
    play(moved, streams[:, held - (blocks + 1) * period : held], period=period)
    for slot in range(6):
        newest = as_host(moved.columns(slot))[-1]
        np.testing.assert_allclose(newest, as_host(stayed.columns(slot))[-1], rtol=0, atol=1e-7)


def test_measures_of_real_streams_equal_their_definitions(backend, streams):
    analysis = SpectralAnalysis(WorkloadSettings(48_000, PERIOD, 6), backend)
    for index in range(40):
        for slots in (np.array([5, 2, 0]), np.array([1, 4, 3])):
            block = streams[slots, index * PERIOD : (index + 1) * PERIOD]
            analysis.process(np.ascontiguousarray(block), slots)
    last = streams[:, -1024:].astype(np.float64)
    magnitudes = magnitudes_by_scipy(streams, PERIOD)[:, -1]
    frequency_hz = np.fft.rfftfreq(1024, 1 / 48_000)
    level_dbfs = 10.0 * np.log10(2.0 * np.mean(last**2, axis=1))
    centroid_hz = magnitudes @ frequency_hz / magnitudes.sum(axis=1)
    np.testing.assert_allclose(as_host(analysis.level_dbfs), level_dbfs, atol=1e-3)
    np.testing.assert_allclose(as_host(analysis.centroid_hz), centroid_hz, rtol=1e-3)
    np.testing.assert_array_equal(
        as_host(analysis.peak_hz), frequency_hz[magnitudes.argmax(axis=1)]
    )
