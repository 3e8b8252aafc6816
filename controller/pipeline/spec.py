"""The specification that the built-in pipeline is started with."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from controller.executors.vram.config import VRAMConfig

COMPANIONS = ("analysis", "visualisation")
"""Classes of work beside the sound, each of which has a budget."""


class PipelineSpec(BaseModel):
    """Everything that distinguishes one pipeline from another; crosses to its process as JSON.

    `streams` is a constant load; where it is None, `trace` (or the built-in evening) scaled
    to `peak_streams` over `duration_s` makes streams come and go. The shares are parts of all
    processor time; without `analysis_share` or `visualisation_share` that work is left out.
    `executor` and `workload` are names of plug-ins; the executor's knobs start with the values
    of `knobs`, and none exceeds its limit; `vram` says how much of a device's memory it may take.
    `falls_back` has the CPU play where it cannot start. `farewell_s` is how long the pipeline
    waits at its end to be asked for its summary, seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate_hz: int
    period_frames: int
    deadline_ms: float
    buffer_blocks: int
    duration_s: float
    workload: str
    taps: int
    streams: int | None
    peak_streams: int
    trace: Path | None
    audio: Path | None
    hrtf: Path | None
    record: Path | None
    stress: int
    stress_after_s: float
    audio_share: float
    reserve_share: float
    analysis_share: float | None
    visualisation_share: float | None
    executor: str
    knobs: dict[str, int | float | str]
    limits: dict[str, int]
    vram: VRAMConfig = VRAMConfig()
    falls_back: bool = False
    farewell_s: float = 10.0
    seed: int = 1

    @property
    def slots(self) -> int:
        """The most streams that can be live at once."""
        return self.streams if self.streams is not None else self.peak_streams

    @property
    def period_ns(self) -> float:
        """Length of a period, nanoseconds."""
        return 1e9 * self.period_frames / self.sample_rate_hz
