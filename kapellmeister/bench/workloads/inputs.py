"""Input for every renderer alike: real sound, and the responses of a room."""

from __future__ import annotations

import numpy as np

from controller.sound.bank import SoundBank
from controller.sound.synthesis import synthesise_sounds
from controller.workloads.arrays import FloatArray
from controller.workloads.hrir import HrirSet

SAMPLE_RATE_HZ = 48_000
PERIOD_FRAMES = 256
SIGNAL_BLOCKS = 512


def inputs_of(streams: int) -> FloatArray:
    """Blocks of real sound, (blocks, streams, period), at hand so that fetching is not timed."""
    bank = SoundBank(synthesise_sounds(SAMPLE_RATE_HZ), PERIOD_FRAMES, streams)
    slots = np.arange(streams, dtype=np.intp)
    return np.stack([bank.gather(index, slots) for index in range(SIGNAL_BLOCKS)])


def reverberant_room(directions: int, taps: int) -> HrirSet:
    """Decaying noise, different for each stream and ear, so that no tap is zero and none alike."""
    noise = np.random.default_rng(0).standard_normal((directions, 2, taps))
    responses = (noise * np.exp(-6.9 * np.arange(taps) / taps) / np.sqrt(taps)).astype(np.float32)
    angles = np.linspace(0.0, 360.0, directions, endpoint=False)
    return HrirSet("room", SAMPLE_RATE_HZ, angles, np.zeros(directions), responses)
