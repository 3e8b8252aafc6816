"""The main job: start or take over a plant, control it, and say what came of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from controller import plugins
from controller.clock import WallClock
from controller.config import Config
from controller.diagnosis import Diagnostician
from controller.errors import PlugInError
from controller.guard import Guard
from controller.journal import Journal
from controller.lease import Lease
from controller.loop import Loop
from controller.metrics.cpu import MachineSensor, ProcessSensor
from controller.metrics.exposition import Exposition
from controller.pipeline.spec import PipelineSpec
from controller.plants.builtin import (
    BuiltinPlant,
    running_pipeline,
    start_pipeline,
    stop_pipeline,
)
from controller.state_directory import StateDirectory
from controller.tick import Tick
from controller.verification import Verifier
from kapellmeister.report import OverheadFigures, RunReport, report_from
from policies.observation import fresh
from policies.proposal import Verdict

Instrument = Callable[[Tick], None]
BESIDE_SHARE = 0.5
"""Analysis and pictures share the budget of analysis, half each."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a user may ask of one run beyond the configuration."""

    duration_s: float = 60.0
    plant: str = "builtin"
    streams: int | None = None
    trace: Path | None = None
    audio: Path | None = None
    hrtf: Path | None = None
    record: Path | None = None
    state_directory: Path | None = None


def run(
    options: RunOptions,
    config: Config,
    instruments: Sequence[Instrument] = (),
    say: Callable[[str], None] = print,
) -> RunReport:
    """Control a plant until it ends, the duration is over or a signal asks for an end.

    `instruments` see every tick; `say` gets one line about anything a user should know.
    Raises a KapellmeisterError for everything that the user can mend.
    """
    if options.plant != "builtin":
        raise PlugInError("plant", options.plant, "no such name", plugins.names("plants"))
    policy = plugins.find("policies", config.loop.policy)()
    forecaster = plugins.find("forecasters", config.forecast.model)()
    spec = pipeline_spec(options, config)
    with ExitStack() as stack:
        directory = StateDirectory(options.state_directory)
        stack.enter_context(directory.lock())
        journal = stack.enter_context(Journal.open(directory.journal_path, config.journal))
        metrics = _metrics(stack, config)
        journal.restore_left_over()
        resumed = _start_or_take_over(directory.path, spec, say)
        clock = WallClock()
        lease = stack.enter_context(Lease.start())
        plant = BuiltinPlant(directory.path, spec, clock, lease)
        stack.callback(plant.close)
        loop = Loop(
            plant=plant,
            policy=policy,
            objective=config.plan(),
            forecaster=forecaster,
            diagnostician=Diagnostician(config.thresholds, config.plan()),
            guard=Guard(config.guard),
            verifier=Verifier(config.guard, config.plan()),
            recorder=journal,
            commands=journal,
            clock=clock,
            interval_s=config.loop.interval_s,
            shadow=config.loop.shadow,
            instruments=(*instruments, *metrics),
        )
        return _Run(config, plant, loop, journal, lease, clock).play(resumed, say)
