"""A piece of sound in memory."""

from __future__ import annotations

from dataclasses import dataclass

from controller.workloads.arrays import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A mono recording: `samples` float32 in -1..1 at `sample_rate_hz`.

    `seamless`: its end runs on into its beginning as it is, so that it can be looped untouched.
    """

    name: str
    samples: FloatArray
    sample_rate_hz: int
    seamless: bool = False
