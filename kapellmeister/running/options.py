"""Options of one run, beyond the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunOptions:
    """A user's wishes for one run; None leaves a thing to the configuration or to its default.

    `duration_s` None: a minute of the built-in pipeline, and without end on any other plant.
    `named_at` is that of `Surroundings`, clock ticks since boot.
    """

    duration_s: float | None = None
    plant: str = "builtin"
    streams: int | None = None
    trace: Path | None = None
    audio: Path | None = None
    hrtf: Path | None = None
    record: Path | None = None
    calibration: Path | None = None
    state_directory: Path | None = None
    named_at: int | None = None
