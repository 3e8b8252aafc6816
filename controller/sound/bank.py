"""The input of every stream at every moment, looked up rather than played."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from controller.sound.clip import Sound
from controller.workloads.arrays import FloatArray, IntArray

CROSSFADE_S = 0.02
MIX_LEVEL_RMS = 0.1


class SoundBank:
    """The sound that each slot plays at any block index, so that a stream can be replayed anywhere.

    A slot has a sound and a place in it, both fixed by its number; sounds loop without a click
    (their end is crossfaded into their beginning). All are brought to one level, and that is
    divided by the square root of `streams`, the number that sound at once, so that the mix of
    independent sounds keeps that level too.
    """

    def __init__(self, sounds: Sequence[Sound], period_frames: int, streams: int) -> None:
        level = MIX_LEVEL_RMS / np.sqrt(max(1, streams))
        loops = [_loop(sound, period_frames, level) for sound in sounds]
        self._blocks = np.concatenate(loops)
        self._lengths = np.array([len(loop) for loop in loops], dtype=np.intp)
        self._starts = np.cumsum(self._lengths) - self._lengths

    def gather(
        self, block_index: int, slots: IntArray, out: FloatArray | None = None
    ) -> FloatArray:
        """Each slot's input block at `block_index`: (n, period_frames), into `out` if given."""
        sound = slots % len(self._lengths)
        length = self._lengths[sound]
        # Slots that share a sound start in it as far apart as steps of the golden ratio bring.
        offset = (slots * 0.6180339887 % 1.0 * length).astype(np.intp)
        rows = self._starts[sound] + (offset + block_index) % length
        return self._blocks.take(rows, axis=0, out=out, mode="clip")


def _loop(sound: Sound, period_frames: int, level_rms: float) -> FloatArray:
    """Whole periods of the sound, (blocks, period_frames), brought to one level."""
    fits = sound.seamless and len(sound.samples) % period_frames == 0
    looped = sound.samples if fits else _crossfaded(sound, period_frames)
    loudness = float(np.sqrt(np.mean(np.square(looped, dtype=np.float64))))
    gain = level_rms / loudness if loudness > 0.0 else 1.0
    return (looped * np.float32(gain)).reshape(-1, period_frames)


def _crossfaded(sound: Sound, period_frames: int) -> FloatArray:
    """Whole periods of the sound, what follows them fading out over its beginning."""
    fade = max(1, int(CROSSFADE_S * sound.sample_rate_hz))
    samples = np.tile(sound.samples, -(-(2 * period_frames + 2 * fade) // len(sound.samples)))
    frames = (len(samples) - fade) // period_frames * period_frames
    looped = samples[:frames].copy()
    phase = np.linspace(0.0, np.pi / 2, fade, dtype=np.float32)
    looped[:fade] = looped[:fade] * np.sin(phase) + samples[frames : frames + fade] * np.cos(phase)
    return looped
