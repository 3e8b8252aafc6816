"""Each workload on the device against float64, as the error in norm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from controller.workloads.arrays import DoubleArray
from controller.workloads.cuda.layout import FLOAT_BYTES, LEVELS_AT, PAST_BYTES
from controller.workloads.filters import equalisers
from controller.workloads.short_time_spectrum import BINS, WINDOW_FRAMES, window
from controller.workloads.spectrogram import COLUMNS as SPECTROGRAM_COLUMNS
from controller.workloads.visualisation import (
    COLUMNS,
    FLOOR_DB,
    SPECTROGRAM_ROWS,
    STEPS_PER_DB,
    musical_bands,
)
from controller.workloads.workload import WorkloadSettings
from kapellmeister.bench.hardware.experiment import Experiment, Found
from kapellmeister.bench.hardware.figures import Goal, Measured, Planned
from kapellmeister.bench.hardware.rig import SAMPLE_RATE_HZ, Player, Rig, noise
from kapellmeister.bench.hardware.workloads import batched_of, settings_of

BLOCKS = 16
GOALS = {
    "HRTF": 1e-5,
    "filtering": 1e-6,
    "spectral analysis": 1e-5,
    "spectrogram": 1e-5,
    "visualisation": 1e-5,
}
"""Most that the error may be, as a share of the norm."""


def accuracy() -> Experiment:
    """Sound of HRTF and filtering, what is kept of the others."""
    rows = [
        Planned(_name(each), "of the norm", Goal(goal, is_most=True, is_of_gpu=False))
        for each, goal in GOALS.items()
    ]
    return Experiment("float64", tuple(rows), 1.0, _accuracy)


def _accuracy(rig: Rig, seconds: float) -> Found:
    del seconds
    for title in GOALS:
        yield Measured.once(_name(title), _error(title, rig))


def _error(title: str, rig: Rig) -> float:
    """The error of the last blocks of noise."""
    settings = settings_of(title, rig.scale.few, rig.scale.taps)
    sound = noise(settings.slots, BLOCKS)
    with rig.playing(batched_of(title, settings), settings.slots) as player:
        player.pipeline.end(player.slots)
        player.pipeline.begin(player.slots)
        buses = [_play(player, blocks) for blocks in sound]
        heard = np.concatenate(buses, axis=1)
        signals = sound.swapaxes(0, 1).reshape(settings.slots, -1).astype(np.float64)
        return CHECKS[title](settings, signals, heard, player)


def _play(player: Player, blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    player.sound = blocks
    return player.play(len(blocks)).bus.copy()


def _of_hrtf(
    settings: WorkloadSettings, signals: DoubleArray, heard: NDArray[np.float32], player: Player
) -> float:
    del player
    assert settings.hrirs is not None
    assert settings.directions is not None
    responses = settings.hrirs.impulse_responses.astype(np.float64)
    frames = heard.shape[1]
    mix = np.zeros((2, frames))
    for each, direction in zip(signals, settings.directions, strict=True):
        ears: DoubleArray = np.stack(
            [signal.fftconvolve(each, ear) for ear in responses[direction]]
        )
        mix += ears[:, :frames]
    return _relative(heard, mix)


def _of_filters(
    settings: WorkloadSettings, signals: DoubleArray, heard: NDArray[np.float32], player: Player
) -> float:
    del player
    cascades = equalisers(settings.slots, SAMPLE_RATE_HZ)
    sections = np.insert(cascades, 3, 1.0, axis=2)
    pairs = zip(sections, signals, strict=True)
    mono = sum(signal.sosfilt(cascade, each) for cascade, each in pairs)
    return _relative(heard, np.stack((mono, mono)))


def _of_magnitudes(
    begin: Callable[[int], int],
    settings: WorkloadSettings,
    signals: DoubleArray,
    heard: NDArray[np.float32],
    player: Player,
) -> float:
    """Of the latest magnitudes of every stream, which begin at such an offset in its state."""
    del settings, heard
    size_bytes = BINS * FLOAT_BYTES
    kept = [
        _kept(player, slot, begin(player.step - 1), size_bytes) for slot in player.slots.tolist()
    ]
    return _relative(np.stack([each.view(np.float32) for each in kept]), _magnitudes(signals))


def _of_levels(
    settings: WorkloadSettings, signals: DoubleArray, heard: NDArray[np.float32], player: Player
) -> float:
    """Of the latest levels, beyond the rounding down to half decibels."""
    del settings, heard
    powers = _magnitudes(signals) ** 2 @ musical_bands(SAMPLE_RATE_HZ).astype(np.float64)
    decibels = 10.0 * np.log10(powers + 10.0 ** (FLOOR_DB / 10.0))
    exact = np.clip((decibels - FLOOR_DB) * STEPS_PER_DB, 0.0, 255.0)
    begin = LEVELS_AT + (player.step - 1) % COLUMNS * SPECTROGRAM_ROWS
    levels = np.stack(
        [_kept(player, slot, begin, SPECTROGRAM_ROWS) for slot in player.slots.tolist()]
    )
    beyond = np.maximum(np.maximum(levels - exact, exact - levels - 1.0), 0.0)
    return float(np.linalg.norm(beyond) / np.linalg.norm(exact))


def _magnitudes(signals: DoubleArray) -> DoubleArray:
    shaped = signals[:, -WINDOW_FRAMES:] * window().astype(np.float64)
    found: DoubleArray = np.abs(np.fft.rfft(shaped))
    return found


def _kept(player: Player, slot: int, begin: int, size_bytes: int) -> NDArray[np.uint8]:
    return player.backing.read(int(player.pipeline.memory.offsets[slot]) + begin, size_bytes)


def _relative(found: NDArray[np.float32], exact: DoubleArray) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def _magnitudes_at(step: int) -> int:
    del step
    return PAST_BYTES


def _column_at(step: int) -> int:
    return PAST_BYTES + step % SPECTROGRAM_COLUMNS * BINS * FLOAT_BYTES


CHECKS: dict[str, Callable[[WorkloadSettings, DoubleArray, NDArray[np.float32], Player], float]] = {
    "HRTF": _of_hrtf,
    "filtering": _of_filters,
    "spectral analysis": partial(_of_magnitudes, _magnitudes_at),
    "spectrogram": partial(_of_magnitudes, _column_at),
    "visualisation": _of_levels,
}
"""How the error of each workload is found."""


def _name(title: str) -> str:
    return f"{title}, error against float64"
