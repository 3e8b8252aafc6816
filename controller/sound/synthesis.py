"""A small band of synthetic instruments, so that the pipeline has something to play anywhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from controller.sound.clip import Sound

BEATS = 16
BEAT_S = 0.5
CHORDS_HZ = (
    (220.00, 261.63, 329.63, 440.00),  # A minor
    (174.61, 261.63, 349.23, 440.00),  # F
    (196.00, 261.63, 329.63, 392.00),  # C over G
    (196.00, 246.94, 293.66, 392.00),  # G
)
"""Chords, Hz, one for each bar of four beats, shared by all instruments, so that any mix agrees."""

PEAK = 0.5
LOWEST_HZ, HIGHEST_HZ = 30.0, 16000.0

Loop = NDArray[np.float64]
Instrument = Callable[[int, np.random.Generator], Loop]


def synthesise_sounds(sample_rate_hz: int, seed: int = 0) -> tuple[Sound, ...]:
    """Six distinct instruments of 8 s each, the same for the same seed.

    Notes are written into a circle, tails running on into the beginning, so that each loops
    without a seam; all is band-limited to 30 Hz - 16 kHz (or 0.45 of a lower sample rate).
    """
    instruments = (plucked_strings, bells, pad, marimba, brushes, surf)
    generators = np.random.default_rng(seed).spawn(len(instruments))
    return tuple(
        _finished(instrument, sample_rate_hz, generator)
        for instrument, generator in zip(instruments, generators, strict=True)
    )


def _finished(play: Instrument, rate_hz: int, random: np.random.Generator) -> Sound:
    """Filter the whole circle at once, which leaves no edge, and bring it to a common peak."""
    loop = play(rate_hz, random)
    frequency_hz = np.fft.rfftfreq(len(loop), 1.0 / rate_hz)
    highest_hz = min(HIGHEST_HZ, 0.45 * rate_hz)
    gain = np.clip((highest_hz - frequency_hz) / (0.1 * highest_hz), 0.0, 1.0)
    gain *= np.clip(frequency_hz / LOWEST_HZ, 0.0, 1.0) ** 2
    limited = np.fft.irfft(np.fft.rfft(loop) * gain, n=len(loop))
    samples = (limited * (PEAK / np.abs(limited).max())).astype(np.float32)
    return Sound(play.__name__.replace("_", " "), samples, rate_hz, seamless=True)


def plucked_strings(rate_hz: int, random: np.random.Generator) -> Loop:
    """An arpeggio in eighths: harmonics of a string plucked at a fifth of its length."""
    harmonics = np.arange(1.0, 25.0)
    amplitudes = np.sin(harmonics * np.pi / 5) / harmonics
    decays_s = 0.9 / (1.0 + 0.15 * harmonics)
    loop = _silence(rate_hz)
    for eighth in range(2 * BEATS):
        chord = CHORDS_HZ[eighth // 8]
        pitch_hz = chord[random.integers(len(chord))]
        note = _modes(pitch_hz, harmonics, amplitudes, decays_s, rate_hz)
        _strike(loop, eighth / 2, (0.6 + 0.4 * random.random()) * note, rate_hz)
    return loop


def bells(rate_hz: int, random: np.random.Generator) -> Loop:
    """Every other beat a bell, of the inharmonic partials that Risset published in 1969."""
    ratios = np.array([0.56, 0.92, 1.19, 1.70, 2.00, 2.74, 3.00, 3.76, 4.07])
    amplitudes = np.array([1.0, 0.67, 1.0, 1.8, 2.67, 1.67, 1.46, 1.33, 1.33])
    decays_s = 2.5 * np.array([1.0, 0.9, 0.65, 0.55, 0.325, 0.35, 0.25, 0.2, 0.15]) / 3.0
    loop = _silence(rate_hz)
    for beat in range(0, BEATS, 2):
        chord = CHORDS_HZ[beat // 4]
        pitch_hz = 2.0 * chord[random.integers(len(chord))]
        _strike(loop, beat + 0.5, _modes(pitch_hz, ratios, amplitudes, decays_s, rate_hz), rate_hz)
    return loop


def marimba(rate_hz: int, random: np.random.Generator) -> Loop:
    """Off-beat bars of wood: the first modes of a tuned bar (Fletcher and Rossing 1998)."""
    ratios, amplitudes = np.array([1.0, 3.92, 9.24]), np.array([1.0, 0.35, 0.12])
    decays_s = np.array([0.25, 0.08, 0.03])
    loop = _silence(rate_hz)
    for sixteenth in range(4 * BEATS):
        if random.random() < 0.45:
            chord = CHORDS_HZ[sixteenth // 16]
            pitch_hz = chord[random.integers(len(chord))]
            note = _modes(pitch_hz, ratios, amplitudes, decays_s, rate_hz)
            _strike(loop, sixteenth / 4, note, rate_hz)
    return loop


def pad(rate_hz: int, random: np.random.Generator) -> Loop:
    """A slow chord in each bar, four voices of slightly detuned harmonics swelling and fading."""
    frames = int(1.5 * 4 * BEAT_S * rate_hz)
    time_s = np.arange(frames) / rate_hz
    swell = np.sin(np.pi * np.arange(frames) / frames) ** 2
    loop = _silence(rate_hz)
    for bar, chord in enumerate(CHORDS_HZ):
        voices = np.zeros(frames)
        for pitch_hz in chord:
            for harmonic in range(1, 7):
                detuned_hz = harmonic * pitch_hz * (1.0 + 0.002 * random.standard_normal())
                phase = 2.0 * np.pi * (detuned_hz * time_s + random.random())
                voices += np.sin(phase) / harmonic**1.5
        _strike(loop, 4.0 * bar, swell * voices, rate_hz)
    return loop


def brushes(rate_hz: int, random: np.random.Generator) -> Loop:
    """A drum kit played softly: noise that decays on the off-beats, and a low drum on the bar."""
    loop = _silence(rate_hz)
    time_s = np.arange(int(0.4 * rate_hz)) / rate_hz
    for eighth in range(2 * BEATS):
        accent = 1.0 if eighth % 4 == 2 else 0.35
        noise = np.diff(random.standard_normal(len(time_s) + 1))
        attack = 1.0 - np.exp(-time_s / 0.002)
        decay = np.exp(-time_s / (0.06 * accent + 0.02))
        _strike(loop, eighth / 2, 0.3 * accent * attack * decay * noise, rate_hz)
    ratios, amplitudes = np.array([1.0, 1.59, 2.14]), np.array([1.0, 0.5, 0.3])
    drum = _modes(60.0, ratios, amplitudes, np.array([0.2, 0.15, 0.1]), rate_hz)
    for beat in range(0, BEATS, 2):
        _strike(loop, beat, 1.5 * drum, rate_hz)
    return loop


def surf(rate_hz: int, random: np.random.Generator) -> Loop:
    """Waves on a shore: noise whose spectrum falls by 5 dB an octave, swelling twice a loop."""
    frames = len(_silence(rate_hz))
    spectrum = np.fft.rfft(random.standard_normal(frames))
    frequency_hz = np.fft.rfftfreq(frames, 1.0 / rate_hz)
    noise = np.fft.irfft(spectrum / (1.0 + frequency_hz / 200.0) ** (5.0 / 6.0), n=frames)
    swell = 0.5 - 0.5 * np.cos(4.0 * np.pi * np.arange(frames) / frames)
    return noise * (0.15 + swell**2)


def _silence(rate_hz: int) -> Loop:
    return np.zeros(int(BEATS * BEAT_S * rate_hz))


def _strike(loop: Loop, beat: float, note: Loop, rate_hz: int) -> None:
    """Add a note at a beat; what lies beyond the end of the circle falls on its beginning."""
    start = int(beat * BEAT_S * rate_hz) % len(loop)
    before_end = min(len(note), len(loop) - start)
    loop[start : start + before_end] += note[:before_end]
    loop[: len(note) - before_end] += note[before_end:]


def _modes(pitch_hz: float, ratios: Loop, amplitudes: Loop, decays_s: Loop, rate_hz: int) -> Loop:
    """A struck body: decaying sinusoids at `ratios` of the pitch, none above the Nyquist limit.

    Each mode sounds for seven of its decay times (to -60 dB); the onset is softened over 2 ms.
    """
    note = np.zeros(int(7.0 * decays_s.max() * rate_hz) + 1)
    for ratio, amplitude, decay_s in zip(ratios, amplitudes, decays_s, strict=True):
        if ratio * pitch_hz < 0.45 * rate_hz:
            mode = _decaying_sinusoid(ratio * pitch_hz, decay_s, rate_hz)
            note[: len(mode)] += amplitude * mode
    return note * (1.0 - np.exp(-np.arange(len(note)) / (0.002 * rate_hz)))


def _decaying_sinusoid(frequency_hz: float, decay_s: float, rate_hz: int) -> Loop:
    """Powers of one complex number, products of coarse and fine ones: far fewer sines to take."""
    exponent = (2j * np.pi * frequency_hz - 1.0 / decay_s) / rate_hz
    frames = int(7.0 * decay_s * rate_hz)
    stride = int(np.sqrt(frames)) + 1
    fine, coarse = (
        np.exp(exponent * np.arange(stride)),
        np.exp(exponent * stride * np.arange(stride)),
    )
    powers: Loop = np.multiply.outer(coarse, fine).imag.ravel()
    return powers[:frames]
