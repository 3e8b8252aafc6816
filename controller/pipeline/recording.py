"""Writes what a listener hears to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from controller.errors import RecordingError
from controller.linux.os_errors import explained, refused_write

OTHER_FILE = "name a file in a folder that can be written"


class Recording:
    """A WAV file in two channels; where writing fails, `alarm` is told, and the sound goes on.

    Raises RecordingError where the file cannot be begun.
    """

    def __init__(self, path: Path, sample_rate_hz: int, alarm: Callable[[str], None]) -> None:
        _check(path)
        self._path = path
        self._alarm = alarm
        self._failed = False
        try:
            self._file = soundfile.SoundFile(
                path, "w", sample_rate_hz, channels=2, subtype="PCM_16", format="WAV"
            )
        except soundfile.LibsndfileError as error:
            raise _unrecorded(path, error) from error

    def write(self, heard: NDArray[np.float32]) -> None:
        """Add a block, (2, frames), unless an earlier one could not be written."""
        if self._failed:
            return
        try:
            self._file.write(heard.T)
        except soundfile.LibsndfileError as error:
            self._alarm(str(_unrecorded(self._path, error)))
            self._failed = True

    def close(self) -> None:
        """Finish the file, unless writing had failed."""
        if not self._failed:
            self._file.close()


def _check(path: Path) -> None:
    """See that it can be begun; a pipe would keep us waiting for its reader."""
    if path.is_fifo():
        raise RecordingError(path, "it is a pipe, in which nothing can go back", OTHER_FILE)
    try:
        path.open("wb").close()
    except OSError as error:
        raise RecordingError(path, *explained(error, path, OTHER_FILE)) from error


def _unrecorded(path: Path, error: soundfile.LibsndfileError) -> RecordingError:
    """Why the recording failed, in the system's words where it is to blame."""
    refused = refused_write(path)
    if refused is not None:
        return RecordingError(path, *explained(refused, path, OTHER_FILE))
    return RecordingError(path, error.error_string, OTHER_FILE)
