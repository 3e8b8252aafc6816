import numpy as np
import pytest
import scipy.fft
from state_arena import FFT, PICTURE, SPECTROGRAM, StateArena, error, for_rows, poisoned

from controller.workloads.backends import numpy_backend
from controller.workloads.cuda.band_runs import band_runs
from controller.workloads.cuda.kernels import (
    BANDS_AND_LEVELS,
    MAGNITUDE_COLUMN,
    SPECTRAL_MEASURES,
    WINDOW_HISTORY,
)
from controller.workloads.fft import SpectralAnalysis
from controller.workloads.spectrogram import Spectrogram
from controller.workloads.visualisation import Visualisation, musical_bands
from controller.workloads.workload import WorkloadSettings

ROWS, FIRST_STEP = 11, 10_000_000_001
random = np.random.default_rng(0)
HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
WINDOW = (HANN * (2 / HANN.sum())).astype(np.float32)


def noise(arena, period):
    """Tones over noise: a spectrum has one highest bin."""
    tones = np.sin(np.outer(np.arange(1, 1 + len(arena.used)), np.arange(period)) * 0.11)
    return (0.5 * tones + random.uniform(-0.1, 0.1, tones.shape)).astype(np.float32)


def windowed(play, arena, step, blocks):
    rows, period = blocks.shape
    history = poisoned(rows, 1024)
    play(
        WINDOW_HISTORY, arena.bytes, arena.rows, np.array([step]), blocks, WINDOW, history, rows,
        period,
    )  # fmt: skip
    return history


def spectra(play, arena, step, blocks):
    transformed = scipy.fft.rfft(windowed(play, arena, step, blocks))[arena.used]
    return for_rows(arena, transformed)


@pytest.mark.parametrize("period", [16, 100, 256, 480, 1024, 1500])
def test_history_holds_the_last_1024_samples_in_order(play, period):
    arena = StateArena(FFT, ROWS)
    outside = arena.outside()
    sound = random.uniform(-1, 1, (len(arena.used), 12 * period)).astype(np.float32)
    for step, blocks in enumerate(np.split(sound, 12, axis=1)):
        history = windowed(play, arena, FIRST_STEP + step, for_rows(arena, blocks))
        past = np.pad(sound[:, : (step + 1) * period], ((0, 0), (1024, 0)))[:, -1024:]
        np.testing.assert_array_equal(history[arena.used], past * WINDOW)
        assert not history[arena.rows < 0].any()
    np.testing.assert_array_equal(arena.outside(), outside)


def test_measures_are_those_of_spectral_analysis_on_cpus(play):
    arena = StateArena(FFT, ROWS)
    on_cpus = SpectralAnalysis(WorkloadSettings(48_000, 256, ROWS), numpy_backend())
    outside = arena.outside()
    for step in range(6):
        blocks = noise(arena, 256)
        on_cpus.process(blocks, arena.used.astype(np.intp))
        found = spectra(play, arena, FIRST_STEP + step, for_rows(arena, blocks))
        play(SPECTRAL_MEASURES, arena.bytes, arena.rows, found, ROWS, 48_000)
    for row in arena.used:
        level_dbfs, centroid_hz, peak_hz = arena[row]["measures"]
        assert error(arena[row]["magnitudes"], on_cpus.magnitudes[row]) < 1e-5
        assert level_dbfs == pytest.approx(on_cpus.level_dbfs[row], abs=1e-4)
        assert centroid_hz == pytest.approx(on_cpus.centroid_hz[row], rel=1e-5)
        assert peak_hz == on_cpus.peak_hz[row]
    np.testing.assert_array_equal(arena.outside(), outside)


def test_a_full_scale_sine_measures_0_dbfs_at_its_frequency(play):
    arena = StateArena(FFT, 4)
    sine = np.sin(2 * np.pi * 3000 / 48_000 * np.arange(1024)).astype(np.float32)
    found = spectra(play, arena, 3, np.tile(sine, (4, 1)))
    play(SPECTRAL_MEASURES, arena.bytes, arena.rows, found, 4, 48_000)
    level_dbfs, centroid_hz, peak_hz = arena[0]["measures"]
    assert level_dbfs == pytest.approx(0.0, abs=1e-3)
    assert centroid_hz == pytest.approx(3000.0, abs=1.0)
    assert peak_hz == 3000.0
    assert arena[0]["magnitudes"][64] == pytest.approx(1.0, rel=1e-5)


def test_silence_measures_the_floor_and_no_frequency(play):
    arena = StateArena(FFT, 4)
    found = spectra(play, arena, 3, np.zeros((4, 256), dtype=np.float32))
    play(SPECTRAL_MEASURES, arena.bytes, arena.rows, found, 4, 48_000)
    level_dbfs, centroid_hz, peak_hz = arena[0]["measures"]
    assert -120.001 < level_dbfs <= -120.0
    assert (centroid_hz, peak_hz) == (0.0, 0.0)


def test_of_equal_bins_the_lowest_is_the_peak(play):
    arena = StateArena(FFT, 4)
    found = np.zeros((4, 513), dtype=np.complex64)
    found[:, [40, 37, 300, 165]] = 2.0
    play(SPECTRAL_MEASURES, arena.bytes, arena.rows, found, 4, 1024)
    assert arena[0]["measures"][2] == 37.0


def test_columns_are_those_of_the_spectrogram_on_cpus(play):
    arena = StateArena(SPECTROGRAM, ROWS)
    on_cpus = Spectrogram(WorkloadSettings(48_000, 100, ROWS), numpy_backend())
    outside = arena.outside()
    for step in range(130):
        blocks = noise(arena, 100)
        on_cpus.process(blocks, arena.used.astype(np.intp))
        found = spectra(play, arena, step, for_rows(arena, blocks))
        play(MAGNITUDE_COLUMN, arena.bytes, arena.rows, np.array([step]), found, ROWS)
    for row in arena.used:
        columns = np.roll(arena[row]["columns"], -130 % 128, axis=0)
        assert error(columns, on_cpus.columns(row)) < 1e-5
    np.testing.assert_array_equal(arena.outside(), outside)


@pytest.mark.parametrize("period", [100, 256])
def test_pictures_are_those_of_the_visualisation_on_cpus(play, period):
    arena = StateArena(PICTURE, ROWS)
    on_cpus = Visualisation(WorkloadSettings(48_000, period, ROWS), numpy_backend())
    runs, outside = band_runs(musical_bands(48_000)), arena.outside()
    for step in range(478, 488):
        blocks = for_rows(arena, noise(arena, period))
        on_cpus.process(blocks[arena.used], arena.used.astype(np.intp))
        found = spectra(play, arena, step, blocks)
        play(
            BANDS_AND_LEVELS, arena.bytes, arena.rows, np.array([step]), blocks, found,
            runs.first_bin, runs.weight_start, runs.weights, ROWS, period,
        )  # fmt: skip
    for row in arena.used:
        picture = {name: np.roll(arena[row][name], -8, axis=0) for name in ("extremes", "levels")}
        np.testing.assert_array_equal(picture["extremes"], on_cpus.extremes(row))
        apart = np.abs(picture["levels"].astype(int) - on_cpus.levels(row))
        assert apart.max() <= 1
        assert np.count_nonzero(apart) <= 3
    assert arena[0]["levels"].max() > 150
    np.testing.assert_array_equal(arena.outside(), outside)


def test_bands_as_runs_hold_the_weights_of_the_matrix():
    weights = musical_bands(44_100)
    runs = band_runs(weights)
    restored = np.zeros_like(weights)
    for band in range(160):
        run = runs.weights[runs.weight_start[band] : runs.weight_start[band + 1]]
        restored[runs.first_bin[band] :, band][: len(run)] = run
    np.testing.assert_array_equal(restored, weights)


def test_rows_beyond_those_asked_for_keep_their_past(play):
    arena, history = StateArena(FFT, 8), poisoned(8, 1024)
    blocks = np.ones((8, 256), dtype=np.float32)
    play(
        WINDOW_HISTORY, arena.bytes, arena.rows, np.array([0]), blocks, WINDOW, history, 5, 256
    )  # fmt: skip
    assert np.isfinite(history[:5]).all()
    assert np.isnan(history[5:]).all()
    assert arena[4]["past"].sum() == 256.0
    assert arena[5]["past"].sum() == 0.0
