"""The built-in pipeline under control: started here, or taken over where it plays on."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from controller.config.config import Config
from controller.errors import RecordingError
from controller.executors.gpu.devices.probe import examine_cuda
from controller.pipeline.server import holder
from controller.pipeline.spec import PipelineSpec
from controller.plants.builtin.pipeline_process import (
    end_process,
    how_it_ended,
    running_pipeline,
    start_pipeline,
    stop_pipeline,
)
from controller.plants.builtin.plant import BuiltinPlant
from controller.plants.plant import Surroundings
from controller.sensors.gpu.sensor import GpuSensor
from kapellmeister.running.controlled.chosen_executor import AUTO, CUDA, vram_config
from kapellmeister.running.controlled.controlled import Attach, Controlled
from kapellmeister.running.options import RunOptions
from kapellmeister.running.own_files import own_file

DEFAULT_DURATION_S = 60.0
FAREWELL_S = 10.0
PARTS_OF_ANALYSIS = 2
"""Spectra and pictures share the budget of analysis, half each."""


@dataclass(frozen=True, slots=True)
class BuiltinPipeline:
    """The pipeline that `spec` describes; it ends by itself, and keeps its figures itself."""

    spec: PipelineSpec
    acting: frozenset[str] | None

    @property
    def duration_s(self) -> float:
        """The time that the pipeline plays."""
        return self.spec.duration_s

    @property
    def limit_s(self) -> float:
        """Infinite: the pipeline comes to its own end."""
        return math.inf

    def check(self) -> None:
        """Accept the options: nothing of a pipeline can be known to fail before it is started."""

    @contextmanager
    def made_ready(
        self, directory: Path, stopping: Callable[[], bool], say: Callable[[str], None]
    ) -> Iterator[Attach]:
        """The pipeline playing, in a process of its own; stopped in the end, whoever started it."""
        with ExitStack() as stack:
            started = self._start_or_take_over(directory, stopping, say)
            if started is not None:
                stack.callback(started.wait)
            if (pipeline := holder(directory)) is not None:
                stack.callback(end_process, pipeline)
            stack.callback(stop_pipeline, directory)
            yield partial(self._attach, directory, started)

    def _start_or_take_over(
        self, directory: Path, stopping: Callable[[], bool], say: Callable[[str], None]
    ) -> subprocess.Popen[str] | None:
        """The pipeline's process where it was started here; None where it plays on."""
        playing = running_pipeline(directory)
        if playing == self.spec:
            say("a pipeline of an earlier run plays on; taking it over")
            return None
        if playing is not None:
            say("a pipeline of an earlier run plays on with other options; ending it")
        stop_pipeline(directory)
        return start_pipeline(directory, self.spec, stopping, say)

    def _attach(
        self, directory: Path, started: subprocess.Popen[str] | None, given: Surroundings
    ) -> Controlled:
        plant = BuiltinPlant(
            directory,
            self.spec,
            given.clock,
            given.lease,
            given.permissions,
            given.config.loop.interval_s,
            None if started is None else partial(how_it_ended, started),
            gpu_sensor(self.spec),
        )
        objective = given.config.objective.for_deadline(given.config.pipeline.period_ms)
        return Controlled(plant, objective, plant.summary, lambda: objective.deadline_ms)


def gpu_sensor(spec: PipelineSpec) -> GpuSensor | None:
    """The sensor of the device that a pipeline renders on; None where that is none of CUDA."""
    if spec.executor != CUDA:
        return None
    device = examine_cuda().device
    return GpuSensor(None if device is None else device.pci_bus_id)


def pipeline_spec(options: RunOptions, config: Config, executor: str) -> PipelineSpec:
    """The built-in pipeline's orders, from the command line and the configuration."""
    chosen, share = config.pipeline, config.budget.analysis / PARTS_OF_ANALYSIS
    return PipelineSpec(
        sample_rate_hz=chosen.sample_rate_hz,
        period_frames=chosen.period_frames,
        deadline_ms=chosen.period_ms,
        buffer_blocks=config.objective.buffer_blocks,
        duration_s=options.duration_s or DEFAULT_DURATION_S,
        workload=chosen.workload,
        taps=chosen.taps,
        streams=options.streams,
        peak_streams=chosen.peak_streams,
        trace=_absolute(options.trace),
        audio=_absolute(options.audio),
        hrtf=_absolute(options.hrtf),
        record=_recording(options),
        stress=chosen.stress,
        stress_after_s=chosen.stress_after_s,
        audio_share=config.budget.audio + config.budget.hrtf,
        reserve_share=config.budget.reserve,
        analysis_share=share if chosen.analysis else None,
        visualisation_share=share if chosen.visualisation else None,
        executor=executor,
        knobs=chosen.start_values,
        limits=chosen.limits,
        vram=vram_config(config),
        falls_back=chosen.executor == chosen.device == AUTO,
        farewell_s=FAREWELL_S + 2 * config.loop.interval_s,
    )


def _recording(options: RunOptions) -> Path | None:
    """The file to record to. Raises RecordingError for one that runs keep themselves."""
    path = options.record
    if path is not None and (which := own_file(path, options.state_directory)) is not None:
        raise RecordingError(path, f"it is {which}", "name another")
    return _absolute(path)


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()
