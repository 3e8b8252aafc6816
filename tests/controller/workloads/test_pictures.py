import zlib

import numpy as np
import pytest
from playback import PERIOD, play, silent_before
from scipy.signal import stft

from controller.workloads.pictures.colour import colour_map
from controller.workloads.visualisation import COLUMNS, Visualisation, musical_bands
from controller.workloads.workload import WorkloadSettings

SETTINGS = WorkloadSettings(48_000, PERIOD, 6)
SPECTROGRAM_TOP = 152  # pixels: a waveform of 144 and a gap of 8 lie above


def brightness(image):
    return image.astype(np.float64).sum(axis=2)


def tone(frequency_hz, blocks):
    time_s = np.arange(blocks * PERIOD) / 48_000
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s))[None].astype(np.float32)


def row_of(frequency_hz):
    """Pixels from the bottom of a musical scale of 160 bands from 100 Hz to 16 kHz."""
    band = 159 * np.log(frequency_hz / 100.0) / np.log(160.0)
    return 472 - 2 * band - 1


def test_a_picture_is_960_by_472_rgb(backend, streams):
    pictures = Visualisation(SETTINGS, backend)
    play(pictures, streams)
    image = pictures.image(3)
    assert image.shape == (472, 960, 3)
    assert image.dtype == np.uint8
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


@pytest.mark.parametrize("frequency_hz", [500.0, 2000.0, 8000.0])
def test_a_tone_is_a_bright_line_at_its_pitch(backend, frequency_hz):
    pictures = Visualisation(SETTINGS, backend)
    play(pictures, tone(frequency_hz, COLUMNS + 10))
    spectrogram = brightness(pictures.image(0))[SPECTROGRAM_TOP:, 480]
    brightest = SPECTROGRAM_TOP + np.flatnonzero(spectrogram == spectrogram.max()).mean()
    assert brightest == pytest.approx(row_of(frequency_hz), abs=3.0)


def test_new_sound_enters_at_the_right(backend):
    pictures = Visualisation(SETTINGS, backend)
    play(pictures, tone(1000.0, 100))
    bright = brightness(pictures.image(0)).max(axis=0)
    assert bright[-200:].min() > 300.0
    assert bright[: 960 - 200 - 2].max() < 200.0


def test_a_reset_slot_has_a_dark_picture(backend, streams):
    pictures = Visualisation(SETTINGS, backend)
    play(pictures, streams)
    pictures.reset(np.array([1]))
    assert brightness(pictures.image(1))[SPECTROGRAM_TOP:].max() < 100.0
    assert brightness(pictures.image(2))[SPECTROGRAM_TOP:].max() > 300.0


def test_a_picture_is_written_as_png_and_replaces_the_last(backend, streams, tmp_path):
    pictures, path = Visualisation(SETTINGS, backend), tmp_path / "stream.png"
    play(pictures, streams)
    path.write_text("an older picture")
    pictures.write_png(0, path)
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[12:24] == b"IHDR" + (960).to_bytes(4, "big") + (472).to_bytes(4, "big")
    start = data.index(b"IDAT") + 4
    scanlines = zlib.decompress(data[start : data.index(b"IEND") - 8])
    pixels = np.frombuffer(scanlines, dtype=np.uint8).reshape(472, 1 + 3 * 960)
    np.testing.assert_array_equal(pixels[:, 1:].reshape(472, 960, 3), pictures.image(0))
    assert [entry.name for entry in tmp_path.iterdir()] == ["stream.png"]


def test_colours_rise_evenly_from_dark_to_light():
    luminance = (colour_map() / 255.0) ** 2.2 @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(np.cbrt(luminance)) > -0.004).all()
    assert luminance[0] < 0.01
    assert luminance[-1] > 0.85


@pytest.mark.parametrize("sample_rate_hz", [16_000, 44_100, 48_000, 96_000])
def test_every_band_of_a_picture_hears_something(sample_rate_hz):
    weights = musical_bands(sample_rate_hz)
    assert np.isfinite(weights).all()
    assert (weights.sum(axis=0) > 0.05).all()


def levels_by_scipy(stream):
    """Half decibels above -127.5, (blocks, 160), from triangles drawn anew in double precision."""
    padded = np.pad(stream.astype(np.float64), (1024 - PERIOD, 0))
    frequency_hz, _, spectra = stft(
        padded, 48_000, nperseg=1024, noverlap=1024 - PERIOD, boundary=None, padded=False
    )
    powers = (2.0 * np.abs(spectra)) ** 2
    centres_hz = 100.0 * 160.0 ** (np.arange(160) / 159)
    half_widths_hz = np.maximum(centres_hz * (160.0 ** (1 / 159) - 1.0), 46.875)
    bands = np.stack(
        [
            np.interp(frequency_hz, [centre - width, centre, centre + width], [0.0, 1.0, 0.0])
            for centre, width in zip(centres_hz, half_widths_hz, strict=True)
        ]
    )
    weights = bands / bands.sum(axis=1, keepdims=True) * centres_hz[:, None] / 1000.0
    return np.clip(2.0 * (10.0 * np.log10(weights @ powers + 10**-12.75) + 127.5), 0.0, 255.0).T


def test_levels_of_a_picture_equal_those_of_scipy_to_half_a_decibel(backend, streams):
    joins = [0, 3, 1, 1, 20, 39]
    pictures = Visualisation(SETTINGS, backend)
    play(pictures, streams, joins)
    for slot, stream in enumerate(silent_before(streams, joins)):
        drawn = 40 - joins[slot]
        levels = pictures.levels(slot)
        expected = levels_by_scipy(stream)[-drawn:]
        assert expected.max() > 100.0
        # Cells 100 dB below the loudest hold what single precision leaves of them.
        clear = expected > expected.max() - 200.0
        difference = levels[-drawn:].astype(np.float64) - np.floor(expected)
        assert np.abs(difference[clear]).max() <= 1.0
        assert not levels[:-drawn].any()


def test_the_waveform_is_drawn_between_the_extremes_of_each_block(backend, streams):
    pictures = Visualisation(SETTINGS, backend)
    play(pictures, streams)
    blocks = streams[4].reshape(40, PERIOD)
    extremes = pictures.extremes(4)
    np.testing.assert_array_equal(extremes[-40:, 0], blocks.min(axis=1))
    np.testing.assert_array_equal(extremes[-40:, 1], blocks.max(axis=1))
    assert not extremes[:-40].any()


def test_replaying_the_memory_restores_the_newest_column_of_a_picture(backend, streams):
    stayed, moved = Visualisation(SETTINGS, backend), Visualisation(SETTINGS, backend)
    play(stayed, streams)
    play(moved, streams[:, -(moved.memory_blocks + 1) * PERIOD :])
    for slot in range(6):
        np.testing.assert_array_equal(moved.levels(slot)[-1], stayed.levels(slot)[-1])
        np.testing.assert_array_equal(moved.extremes(slot)[-1], stayed.extremes(slot)[-1])


def test_a_picture_does_not_depend_on_how_streams_are_batched(backend, streams):
    together, apart = Visualisation(SETTINGS, backend), Visualisation(SETTINGS, backend)
    play(together, streams)
    for block in streams.reshape(6, -1, PERIOD).swapaxes(0, 1):
        for slots in (np.array([5, 2]), np.array([0, 3, 1]), np.array([4])):
            apart.process(np.ascontiguousarray(block[slots]), slots)
    for slot in range(6):
        levels = apart.levels(slot).astype(int) - together.levels(slot)
        assert np.abs(levels).max() <= 1
        np.testing.assert_array_equal(apart.extremes(slot), together.extremes(slot))
