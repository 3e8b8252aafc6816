"""A pipeline of eight streams on one worker, for three seconds."""

from __future__ import annotations

from controller.pipeline.spec import PipelineSpec

SPEC = PipelineSpec(
    sample_rate_hz=48_000,
    period_frames=256,
    deadline_ms=256 / 48,
    buffer_blocks=1,
    duration_s=3.0,
    workload="hrtf",
    taps=256,
    streams=8,
    peak_streams=8,
    trace=None,
    audio=None,
    hrtf=None,
    record=None,
    stress=0,
    stress_after_s=5.0,
    audio_share=0.6,
    reserve_share=0.15,
    analysis_share=0.1,
    visualisation_share=0.1,
    executor="cpu",
    knobs={"nodes": 1, "batch_size": 8},
    limits={"nodes": 3},
)
