"""The parts of a pipeline, made as its specification says."""

from __future__ import annotations

import time
from collections.abc import Callable

from controller import plugins
from controller.errors import ExecutorError
from controller.executors.executor import Executor, ExecutorSettings, make_executor
from controller.executors.timetable import Timetable
from controller.executors.warm_up import warm_up
from controller.load import trace as load
from controller.load.csv_trace import read_trace
from controller.pipeline.spec import PipelineSpec
from controller.sound.bank import SoundBank
from controller.sound.files import load_sound
from controller.sound.synthesis import synthesise_sounds
from controller.workloads.backends import numpy_backend
from controller.workloads.hrir import HrirSet, load_sofa
from controller.workloads.workload import Workload, WorkloadSettings

CPU = "cpu"
"""Name of the executor that plays where another cannot."""
LEAD_IN_S = 0.4
"""Seconds from the start of the workers to the first block: time for them to arrive."""


def timetable(spec: PipelineSpec) -> Timetable:
    """The instants of all blocks, the first of which begins shortly after now."""
    deadline_ns = round(spec.deadline_ms * 1e6)
    buffer_ns = round(spec.buffer_blocks * spec.period_ns)
    start_ns = time.monotonic_ns() + int(LEAD_IN_S * 1e9)
    return Timetable(start_ns, spec.period_ns, deadline_ns, buffer_ns)


def sound_bank(spec: PipelineSpec) -> SoundBank:
    """The sounds that streams play, from files or computed."""
    if spec.audio is not None:
        sounds = load_sound(spec.audio, spec.sample_rate_hz)
    else:
        sounds = synthesise_sounds(spec.sample_rate_hz, spec.seed)
    return SoundBank(sounds, spec.period_frames, spec.slots)


def workload_settings(spec: PipelineSpec) -> WorkloadSettings:
    """Settings that all workloads of the pipeline are made with."""
    hrirs = _hrirs(spec)
    return WorkloadSettings(spec.sample_rate_hz, spec.period_frames, spec.slots, spec.taps, hrirs)


def executor(
    spec: PipelineSpec,
    settings: WorkloadSettings,
    bank: SoundBank,
    alarm: Callable[[str], None],
) -> Executor:
    """The executor of the streams, compiled and ready to start.

    Where the one that was chosen cannot start and the CPU may play instead, `alarm` is told why.
    Raises PlugInError where it or the workload does not exist, and ExecutorError.
    """
    given = ExecutorSettings(spec.workload, settings, bank, spec.knobs, spec.limits, spec.vram)
    try:
        return make_executor(spec.executor, given)
    except ExecutorError as error:
        if not spec.falls_back:
            raise
        alarm(f"the CPU plays: {error}")
        return make_executor(CPU, given)


def companion_workloads(
    spec: PipelineSpec, settings: WorkloadSettings, bank: SoundBank
) -> dict[str, Workload]:
    """The workload of each class of work beside the sound, compiled, so that no child does that."""
    names = {"analysis": "fft", "visualisation": "visualisation"}
    shares = {"analysis": spec.analysis_share, "visualisation": spec.visualisation_share}
    made = {}
    for work_class, name in names.items():
        if shares[work_class] is not None:
            made[work_class] = plugins.find("workloads", name)(settings, numpy_backend())
            warm_up(made[work_class], bank, spec.period_frames, (1, spec.slots))
    return made


def trace(spec: PipelineSpec) -> load.LoadTrace:
    """Streams to be live over the duration. Raises TraceError for a file that holds no load."""
    if spec.streams is not None:
        return load.constant(spec.streams)
    if spec.trace is None:
        return load.evening(spec.peak_streams, spec.duration_s)
    return read_trace(spec.trace).scaled(spec.peak_streams, spec.duration_s)


def _hrirs(spec: PipelineSpec) -> HrirSet | None:
    """The head to hear with; None for the workload's own."""
    if spec.hrtf is None:
        return None
    return load_sofa(spec.hrtf, spec.sample_rate_hz).levelled()
