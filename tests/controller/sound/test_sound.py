import numpy as np
import pytest
import soundfile

from controller.errors import SoundFileError
from controller.sound.bank import SoundBank
from controller.sound.clip import Sound
from controller.sound.files import load_sound
from controller.sound.synthesis import synthesise_sounds


def tone(frequency_hz, rate_hz, seconds=0.5):
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def strongest_hz(samples, rate_hz):
    return np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * rate_hz / len(samples)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_any_rate_is_brought_to_ours(tmp_path, rate_hz, suffix):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(1000.0, rate_hz), rate_hz)
    (sound,) = load_sound(path, 48_000)
    assert sound.name == "tone"
    assert sound.sample_rate_hz == 48_000
    assert sound.samples.dtype == np.float32
    assert len(sound.samples) == pytest.approx(24_000, abs=2)
    assert strongest_hz(sound.samples, 48_000) == pytest.approx(1000.0, abs=3.0)
    assert np.abs(sound.samples[4800:-4800]).max() == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_mixed_down_to_their_mean(tmp_path, channels):
    path = tmp_path / "many.wav"
    levels = np.arange(1, channels + 1) / 10
    soundfile.write(path, np.ones((24_000, 1)) * levels, 48_000, subtype="FLOAT")
    (sound,) = load_sound(path, 48_000)
    np.testing.assert_allclose(sound.samples, levels.mean(), rtol=1e-6)


def test_a_folder_is_read_in_the_order_of_names_and_other_files_are_left(tmp_path):
    for name in ("b.wav", "a.flac", "C.WAV"):
        soundfile.write(tmp_path / name, tone(500.0, 48_000), 48_000)
    (tmp_path / "notes.txt").write_text("not a sound")
    (tmp_path / "folder.wav").mkdir()
    assert [sound.name for sound in load_sound(tmp_path, 48_000)] == ["C", "a", "b"]


def test_real_recordings_are_read(shared_audio):
    sounds = {sound.name: sound for sound in load_sound(shared_audio, 48_000)}
    assert set(sounds) == {"bird-1", "music", "speech-sample"}
    assert len(sounds["music"].samples) == 1_440_000
    assert len(sounds["bird-1"].samples) / 48_000 == pytest.approx(4.075, abs=0.01)


def refusal(path):
    """One line that names the file."""
    with pytest.raises(SoundFileError) as error:
        load_sound(path, 48_000)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_a_missing_path_is_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "absent.wav")


def test_a_folder_without_sound_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("not a sound")
    assert "no sound file" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00", b"this is no sound" * 10])
def test_a_corrupt_file_is_named(tmp_path, content):
    path = tmp_path / "corrupt.wav"
    path.write_bytes(content)
    assert "cannot be read" in refusal(path)


def test_a_corrupt_file_in_a_folder_is_named_itself(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(500.0, 48_000), 48_000)
    (tmp_path / "b.wav").write_bytes(b"broken")
    with pytest.raises(SoundFileError, match=r"b\.wav: it cannot be read"):
        load_sound(tmp_path, 48_000)


def test_empty_and_too_short_files_are_refused(tmp_path):
    for frames in (0, 100):
        path = tmp_path / f"{frames}.wav"
        soundfile.write(path, np.zeros(frames), 48_000)
        assert "under 0.1 s" in refusal(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path, bad):
    path = tmp_path / "bad.wav"
    samples = tone(500.0, 48_000)
    samples[1234] = bad
    soundfile.write(path, samples, 48_000, subtype="FLOAT")
    assert "not finite" in refusal(path)


def test_of_a_very_long_recording_the_beginning_is_kept(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(8_000 * 130), 8_000)
    (sound,) = load_sound(path, 8_000)
    assert len(sound.samples) == 120 * 8_000


def test_synthetic_sounds_are_the_same_for_a_seed_and_differ_between_seeds():
    first, again, other = (synthesise_sounds(16_000, seed) for seed in (3, 3, 4))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.samples, two.samples)
    assert any((one.samples != two.samples).any() for one, two in zip(first, other, strict=True))


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_synthetic_sounds_are_band_limited_audible_and_do_not_clip(rate_hz):
    sounds = synthesise_sounds(rate_hz, seed=0)
    assert len({sound.name for sound in sounds}) == len(sounds) == 6
    limit_hz = min(16_000.0, 0.45 * rate_hz)
    for sound in sounds:
        power = np.abs(np.fft.rfft(sound.samples)) ** 2
        frequency_hz = np.fft.rfftfreq(len(sound.samples), 1 / rate_hz)
        assert power[frequency_hz > limit_hz].sum() < 1e-9 * power.sum()
        assert power[0] < 1e-9 * power.sum()
        assert np.abs(sound.samples).max() == pytest.approx(0.5, abs=1e-6)
        assert np.sqrt(np.mean(sound.samples**2)) > 0.03
        assert len(sound.samples) == 8 * rate_hz


def roughness(samples, place):
    """The strongest kink within a few samples of `place`: second differences, wrapping around."""
    around = np.arange(place - 3, place + 3) % len(samples)
    return np.abs(np.diff(samples[around], n=2)).max()


def test_synthetic_sounds_loop_without_a_click(synthetic_sounds):
    for sound in synthetic_sounds:
        elsewhere = [roughness(sound.samples, place) for place in range(0, 384_000, 37)]
        assert roughness(sound.samples, 0) <= max(elsewhere)


def whole_loop(bank, slot, blocks):
    return np.concatenate([bank.gather(index, np.array([slot]))[0] for index in range(blocks)])


def test_a_sound_that_fits_is_looped_untouched(synthetic_sounds):
    bank = SoundBank(synthetic_sounds[:1], period_frames=256, streams=1)
    heard = whole_loop(bank, 0, 1500)
    expected = synthetic_sounds[0].samples
    gain = np.dot(heard, expected) / np.dot(expected, expected)
    np.testing.assert_allclose(heard, gain * expected, atol=1e-6)


def test_a_recording_that_ends_abruptly_is_looped_without_a_click():
    ramp = Sound("cut", tone(441.7, 48_000, seconds=0.517).astype(np.float32), 48_000)
    bank = SoundBank([ramp], period_frames=256, streams=1)
    heard = whole_loop(bank, 0, 300)
    assert np.abs(np.diff(heard)).max() < 2.2 * np.sqrt(2) * 0.1 * 2 * np.pi * 441.7 / 48_000


def test_any_block_can_be_asked_again_and_a_slot_does_not_depend_on_the_others(synthetic_sounds):
    bank = SoundBank(synthetic_sounds, period_frames=256, streams=8)
    together = bank.gather(1234, np.arange(40))
    bank.gather(7, np.arange(40))
    again = bank.gather(1234, np.array([33, 5]))
    np.testing.assert_array_equal(again, together[[33, 5]])


def test_slots_differ_in_sound_or_place(synthetic_sounds):
    bank = SoundBank(synthetic_sounds, period_frames=256, streams=64)
    passages = np.stack([bank.gather(index, np.arange(64)) for index in range(50)]).swapaxes(0, 1)
    flat = passages.reshape(64, -1)
    likeness = np.corrcoef(flat) - np.eye(64)
    assert likeness.max() < 0.95


@pytest.mark.parametrize("streams", [1, 16, 256])
def test_the_mix_of_all_streams_keeps_its_level_and_does_not_clip(synthetic_sounds, streams):
    bank = SoundBank(synthetic_sounds, period_frames=256, streams=streams)
    slots = np.arange(streams)
    mix = np.concatenate([bank.gather(index, slots).sum(axis=0) for index in range(1500)])
    assert np.abs(mix).max() < 1.0
    assert 0.05 < np.sqrt(np.mean(mix**2)) < 0.2


def test_blocks_are_written_where_the_caller_asks(synthetic_sounds):
    bank = SoundBank(synthetic_sounds, period_frames=100, streams=4)
    room = np.full((6, 100), np.nan, dtype=np.float32)
    filled = bank.gather(9, np.arange(4), room[:4])
    assert np.shares_memory(filled, room)
    np.testing.assert_array_equal(room[:4], bank.gather(9, np.arange(4)))
    assert np.isnan(room[4:]).all()


def test_silence_stays_silent_and_short_sounds_are_repeated():
    sounds = [
        Sound("silence", np.zeros(4800, dtype=np.float32), 48_000),
        Sound("short", tone(480.0, 48_000, 0.1).astype(np.float32), 48_000),
    ]
    bank = SoundBank(sounds, period_frames=4096, streams=1)
    silence, short = bank.gather(3, np.array([0, 1]))
    assert not silence.any()
    assert np.sqrt(np.mean(short**2)) == pytest.approx(0.1, rel=0.1)
