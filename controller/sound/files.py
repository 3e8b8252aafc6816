"""Recordings from sound files of any rate and channel count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from controller.errors import SoundFileError
from controller.linux.os_errors import explained, refused_read
from controller.sound.clip import Sound
from controller.workloads.arrays import FloatArray

SHORTEST_S = 0.1
LONGEST_S = 120.0
"""Seconds of a recording that are kept, from its beginning: every worker holds its own copy."""


def load_sound(path: Path, sample_rate_hz: int) -> tuple[Sound, ...]:
    """Read a sound file, or each one in a folder, mixed down to mono and resampled.

    Raises SoundFileError when something is missing, corrupt, empty, too short or not finite, or
    when the folder holds no sound.
    """
    if path.is_dir():
        return tuple(_load_file(file, sample_rate_hz) for file in _sound_files(path))
    if not path.is_file():
        absent = "there is no such file or folder"
        raise SoundFileError(path, "neither a file nor a folder" if path.exists() else absent)
    return (_load_file(path, sample_rate_hz),)


def _sound_files(folder: Path) -> list[Path]:
    import soundfile

    suffixes = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".oga"}
    files = sorted(
        file for file in folder.iterdir() if file.suffix.lower() in suffixes and file.is_file()
    )
    if not files:
        raise SoundFileError(folder, "the folder holds no sound file")
    return files


def _load_file(path: Path, sample_rate_hz: int) -> Sound:
    channels, rate = _read(path)
    if len(channels) < SHORTEST_S * rate:
        raise SoundFileError(path, f"it holds {len(channels) / rate:.3f} s, under {SHORTEST_S} s")
    if not np.isfinite(channels).all():
        raise SoundFileError(path, "it holds samples that are not finite")
    mono = channels.mean(axis=1)
    return Sound(path.stem, _resampled(mono, rate, sample_rate_hz), sample_rate_hz)


def _read(path: Path) -> tuple[Any, int]:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            longest = int(LONGEST_S * file.samplerate)
            return file.read(longest, dtype="float32", always_2d=True), file.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        refused = refused_read(path)
        if refused is not None:
            raise SoundFileError(path, *explained(refused, path)) from error
        why = str(getattr(error, "error_string", error)).rstrip(".")
        raise SoundFileError(path, f"it cannot be read ({why})") from error


def _resampled(mono: FloatArray, rate_hz: int, sample_rate_hz: int) -> FloatArray:
    if rate_hz == sample_rate_hz:
        return np.ascontiguousarray(mono)
    import soxr

    resampled: FloatArray = soxr.resample(mono, rate_hz, sample_rate_hz, quality="HQ")
    return resampled
