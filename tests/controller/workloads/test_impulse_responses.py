import warnings

import numpy as np
import pytest
import sofar

from controller.errors import HrtfFileError
from controller.workloads.hrir import load_sofa, sphere_response, spherical_head


def on_the_horizon(*azimuths_deg):
    return np.array(azimuths_deg, dtype=float), np.zeros(len(azimuths_deg))


def magnitude_db(response, frequency_hz, sample_rate_hz=48_000):
    spectrum = np.abs(np.fft.rfft(response, n=4800))
    return 20 * np.log10(spectrum[round(frequency_hz * 4800 / sample_rate_hz)])


def interaural_delay_ms(pair, sample_rate_hz):
    """By the lag of the greatest cross-correlation below 1.5 kHz, where hearing uses it."""
    spectra = np.fft.rfft(pair, n=16 * pair.shape[1])
    frequency_hz = np.fft.rfftfreq(16 * pair.shape[1], 1 / sample_rate_hz)
    cross = np.where(frequency_hz < 1500, np.conj(spectra[0]) * spectra[1], 0)
    correlation = np.fft.irfft(cross, n=256 * pair.shape[1])
    lag = int(correlation[: correlation.size // 2].argmax())
    return 1000 * lag / (16 * sample_rate_hz)


def measured_set(**changes):
    sofa = sofar.Sofa("SimpleFreeFieldHRIR")
    sofa.Data_IR = np.zeros((3, 2, 64))
    sofa.Data_IR[:, :, 4] = 1.0
    sofa.SourcePosition = np.array([[0.0, 0.0, 1.0], [90.0, 0.0, 1.0], [270.0, 30.0, 1.0]])
    for name, value in changes.items():
        setattr(sofa, name, value)
    return sofa


@pytest.fixture
def sofa_file(tmp_path):
    def write(**changes):
        path = tmp_path / "measured.sofa"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sofar.write_sofa(str(path), measured_set(**changes))
        return path

    return write


def test_a_sphere_hears_the_middle_alike_in_both_ears():
    ears = spherical_head(48_000, 512, on_the_horizon(0.0, 180.0)).impulse_responses
    np.testing.assert_array_equal(ears[:, 0], ears[:, 1])


def test_left_and_right_are_mirror_images_and_60_degrees_is_left():
    left, right = spherical_head(48_000, 512, on_the_horizon(60.0, 300.0)).impulse_responses
    np.testing.assert_allclose(left, right[::-1], atol=1e-6)
    assert magnitude_db(left[0], 5000) > magnitude_db(left[1], 5000) + 10.0


def test_sound_from_the_side_reaches_the_far_ear_later_by_two_thirds_of_a_millisecond():
    pair = spherical_head(48_000, 512, on_the_horizon(90.0)).impulse_responses[0]
    onsets = [int(np.flatnonzero(np.abs(ear) > 0.1 * np.abs(ear).max())[0]) for ear in pair]
    assert 0.60 < 1000 * (onsets[1] - onsets[0]) / 48_000 < 0.75
    # Kuhn 1977: at low frequencies the delay is 3 a sin(angle) / c.
    assert interaural_delay_ms(pair, 48_000) == pytest.approx(0.765, abs=0.08)


def test_a_sphere_doubles_the_pressure_that_meets_it_and_leaves_the_lowest_alone():
    facing = np.array([1.0])
    gains_db = 20 * np.log10(np.abs(sphere_response(facing, np.array([5.0, 624.0, 22_000.0]))[0]))
    assert gains_db[0] == pytest.approx(0.0, abs=0.05)
    assert gains_db[1] == pytest.approx(2.9, abs=0.6)  # ka = 1: between none and double
    assert gains_db[2] == pytest.approx(6.0, abs=0.2)


def test_the_far_side_of_a_sphere_has_a_bright_spot():
    """By symmetry waves meet in phase right behind the sphere: louder than 30 degrees aside."""
    behind, aside = sphere_response(np.cos(np.radians([180.0, 150.0])), np.array([6000.0]))
    assert abs(behind[0]) > 1.5 * abs(aside[0])


def test_the_response_is_finite_over_ten_octaves_for_every_angle():
    cosines = np.linspace(-1.0, 1.0, 37)
    response = sphere_response(cosines, np.geomspace(1.0, 96_000.0, 60))
    assert np.isfinite(response).all()
    assert np.abs(response).max() < 2.1


def test_a_sphere_s_response_begins_and_ends_in_silence():
    for ear in spherical_head(48_000, 514).impulse_responses.reshape(-1, 514):
        edges = np.concatenate((ear[:15], ear[-200:]))
        assert np.abs(edges).max() < 1e-3 * np.abs(ear).max()


@pytest.mark.parametrize("sample_rate_hz", [16_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("taps", [64, 512, 2048])
def test_a_sphere_fits_any_rate_and_length(sample_rate_hz, taps):
    hrirs = spherical_head(sample_rate_hz, taps)
    assert hrirs.impulse_responses.shape == (108, 2, taps)
    assert hrirs.impulse_responses.dtype == np.float32
    assert np.isfinite(hrirs.impulse_responses).all()


def test_responses_are_lengthened_with_silence_and_shortened_with_a_fade():
    hrirs = spherical_head(48_000, 512)
    longer, shorter = hrirs.resized(700), hrirs.resized(100)
    np.testing.assert_array_equal(longer.impulse_responses[..., :512], hrirs.impulse_responses)
    assert not longer.impulse_responses[..., 512:].any()
    np.testing.assert_array_equal(
        shorter.impulse_responses[..., :90], hrirs.impulse_responses[..., :90]
    )
    np.testing.assert_allclose(shorter.impulse_responses[..., -1], 0.0, atol=1e-9)


def test_few_streams_are_spread_wide_and_many_use_every_direction():
    hrirs = spherical_head(48_000, 64)
    assert len(set(hrirs.spread(16).tolist())) == 16
    assert set(hrirs.spread(1000).tolist()) == set(range(108))


def test_the_measured_head_keeps_its_directions_level_and_delay(shared_audio):
    hrirs = load_sofa(shared_audio / "mit_kemar.sofa", 48_000)
    assert hrirs.impulse_responses.shape[:2] == (710, 2)
    assert hrirs.impulse_responses.shape[2] == pytest.approx(512 * 48_000 / 44_100, abs=1.0)
    assert hrirs.sample_rate_hz == 48_000
    left = np.argmin(np.hypot(hrirs.azimuth_deg - 90.0, hrirs.elevation_deg))
    pair = hrirs.impulse_responses[left]
    assert 0.6 < interaural_delay_ms(pair, 48_000) < 0.9
    assert magnitude_db(pair[0], 6000) > magnitude_db(pair[1], 6000) + 6.0


def test_resampling_keeps_the_frequency_response(shared_audio):
    path = shared_audio / "mit_kemar.sofa"
    before, after = load_sofa(path, 44_100), load_sofa(path, 48_000)
    for frequency_hz in (500, 2000, 10_000):
        theirs = 20 * np.log10(
            np.abs(np.fft.rfft(before.impulse_responses[100, 0], n=44_100))[frequency_hz]
        )
        ours = 20 * np.log10(
            np.abs(np.fft.rfft(after.impulse_responses[100, 0], n=48_000))[frequency_hz]
        )
        assert ours == pytest.approx(theirs, abs=0.1)


def test_a_delay_that_is_stated_apart_is_put_back(sofa_file):
    hrirs = load_sofa(sofa_file(Data_Delay=np.array([[0.0, 10.0]])), 48_000)
    assert hrirs.impulse_responses.argmax(axis=2).tolist() == [[4, 14]] * 3


def test_cartesian_positions_become_angles(sofa_file):
    path = sofa_file(
        SourcePosition=np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 1.0]]),
        SourcePosition_Type="cartesian",
        SourcePosition_Units="metre",
    )
    hrirs = load_sofa(path, 48_000)
    np.testing.assert_allclose(hrirs.azimuth_deg, [0.0, 90.0, 270.0])
    np.testing.assert_allclose(hrirs.elevation_deg, [0.0, 0.0, 45.0])


def assert_one_line_names(error, path, *words):
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    for word in words:
        assert word in message


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "absent.sofa"
    with pytest.raises(HrtfFileError) as error:
        load_sofa(path, 48_000)
    assert_one_line_names(error, path, "no such file")


@pytest.mark.parametrize("content", [b"", b"not a SOFA file", b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_a_corrupt_file_is_named(tmp_path, content):
    path = tmp_path / "corrupt.sofa"
    path.write_bytes(content)
    with pytest.raises(HrtfFileError) as error:
        load_sofa(path, 48_000)
    assert_one_line_names(error, path, "cannot be read")


def test_a_cut_off_file_is_named(tmp_path, shared_audio):
    path = tmp_path / "cut.sofa"
    path.write_bytes((shared_audio / "mit_kemar.sofa").read_bytes()[:50_000])
    with pytest.raises(HrtfFileError) as error:
        load_sofa(path, 48_000)
    assert_one_line_names(error, path, "cannot be read")


def test_another_convention_is_named(tmp_path):
    path = tmp_path / "room.sofa"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sofar.write_sofa(str(path), sofar.Sofa("GeneralTF"))
    with pytest.raises(HrtfFileError) as error:
        load_sofa(path, 48_000)
    assert_one_line_names(error, path, "GeneralTF", "SimpleFreeFieldHRIR")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"Data_IR": np.full((3, 2, 64), np.nan)}, "not finite"),
        ({"Data_IR": np.zeros((3, 2, 64))}, "silent"),
    ],
)
def test_responses_that_cannot_be_heard_are_refused(sofa_file, changes, word):
    path = sofa_file(**changes)
    with pytest.raises(HrtfFileError) as error:
        load_sofa(path, 48_000)
    assert_one_line_names(error, path, word)
