"""The main job: start or take over a plant, control it, and say what came of it."""

from __future__ import annotations

import gc
import math
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from controller import plugins
from controller.clock import WallClock
from controller.config.config import Config
from controller.diagnosis.diagnostician import Diagnostician
from controller.errors import ConfigurationError
from controller.forecasting.fit_process import FitProcess
from controller.forecasting.supervised import Supervised, make_forecaster
from controller.guard.guard import Guard
from controller.instruments.systemd import ServiceManager
from controller.journal.journal import Journal
from controller.journal.reader import JournalReader
from controller.journal.state_directory import StateDirectory
from controller.linux.permissions import Permissions, permitted
from controller.loop import Instrument, Loop
from controller.pipeline.spec import PipelineSpec
from controller.plants.builtin.pipeline_process import (
    how_it_ended,
    running_pipeline,
    start_pipeline,
    stop_pipeline,
)
from controller.plants.builtin.plant import BuiltinPlant
from controller.plants.plant import AttachedPlant, Plant, Surroundings
from controller.plants.programs.found_instead import remark as remark_on
from controller.plants.programs.processes import others
from controller.plants.threads.knob import KNOB as THREADS
from controller.time_box import TimeBox
from controller.verification import Verifier
from controller.watchdog import restoration
from controller.watchdog.lease import Lease, lease_s
from controller.watchdog.restoration import RestoreCommand
from kapellmeister.machine.other_managers import ManagerWatch
from kapellmeister.running.access import check_access, check_proc, tell_missing
from kapellmeister.running.instruments import draw_live, facts, serve_metrics, serve_page
from kapellmeister.running.observed import Observed
from kapellmeister.running.report import RunReport, report_from
from kapellmeister.running.tally import Tally
from policies.latency import Calibration, LatencyModel, TabulatedLatency
from policies.objective import Objective
from policies.policy import State
from simulators.calibration.pipeline_file import read_calibration

DEFAULT_DURATION_S = 60.0
FAREWELL_S = 10.0
CONTROLLER_NICE = -10
"""A controller that waits behind the load it is to relieve comes too late; audio is above it."""
LONGEST_CALL_S = 2.0
"""A forecaster's call that is still under way after this, or twice this, is broken off."""
PARTS_OF_ANALYSIS = 2
"""Spectra and pictures share the budget of analysis, half each."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a user may ask of one run beyond the configuration.

    `duration_s` None: a minute of the built-in pipeline, and without end on any other plant.
    `named_at` is that of `Surroundings`.
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


def run(
    options: RunOptions,
    config: Config,
    view_on: Console | None = None,
    say: Callable[[str], None] = print,
) -> RunReport:
    """Control a plant until it ends, or until a signal asks for an end.

    The run is drawn live on `view_on`; `say` gets one line about anything else a user should
    know. Raises a KapellmeisterError for everything that the user can mend.
    """
    make_plant = plugins.find("plants", options.plant)
    ours = make_plant is BuiltinPlant
    spec = pipeline_spec(options, config)
    acting = config.loop.acting(ours=ours)
    duration_s = spec.duration_s if ours else options.duration_s
    policy = plugins.make("policies", config.loop.policy, ("name", "decide"))
    forecaster = make_forecaster(config.forecast.model)
    calibration = None if options.calibration is None else read_calibration(options.calibration)
    clock = WallClock()
    check_proc(options.plant)
    if not ours:
        check_access(options.plant, config.sidecar, options.named_at)
    with ExitStack() as stack:
        stopping = stack.enter_context(_signals(clock))
        directory = StateDirectory(options.state_directory)
        stack.enter_context(directory.lock())
        journal = stack.enter_context(Journal.open(directory.journal_path))
        journal.prune(config.journal.keep_days)
        exposition = serve_metrics(stack, config)
        page = serve_page(stack, config, say)
        left = _restore_left_over(journal, say)
        crashed = _crashed(directory)
        start = partial(_start_or_take_over, stack, directory.path, spec, stopping, say)
        pipeline = start() if ours else None
        lease = Lease.start(lease_s(config.loop.interval_s))
        keep = _keeper(journal, lease, left)
        stack.callback(_release, lease, keep, say)
        permissions = _permissions(config.sidecar.realtime_without_throttling, say)
        if permissions.nice:
            stack.enter_context(_favoured())  # after the children, which would inherit it
        surroundings = Surroundings(config, clock, lease, permissions, say, options.named_at)
        if ours:
            controlled = _builtin(surroundings, directory.path, spec, pipeline)
        else:
            controlled = _attached(make_plant(surroundings), config)
            tell_missing(config.sidecar, say)
            _tell_programs(config, options.named_at, say)
        plant, objective = controlled.plant, controlled.objective
        stack.callback(plant.close)
        _check_acting(acting, plant)
        managers = None if ours or not _schedules(acting, plant) else ManagerWatch(say)
        for shown_to in page:
            told = facts(plant, policy, config, objective, acting, duration_s)
            shown_to.begin(told, plant.knobs)
        fits = stack.enter_context(FitProcess(config.forecast.fit_budget_s))
        box = stack.enter_context(TimeBox(LONGEST_CALL_S))
        tally = Tally(lambda: (*lease.watchers, *controlled.helpers()), lambda: fits.cpu_s)
        view = draw_live(stack, view_on, plant, policy.name, objective, duration_s, tally)
        service = stack.enter_context(ServiceManager())
        loop = Loop(
            plant=plant,
            policy=policy,
            objective=objective,
            forecaster=Supervised(forecaster, fits, config.loop.interval_s / 2, box),
            diagnostician=Diagnostician(
                config.thresholds, objective, calibration, config.pipeline.period_ms
            ),
            guard=Guard(config.guard, acting),
            verifier=Verifier(config.guard, objective),
            recorder=journal,
            commands=journal,
            clock=clock,
            interval_s=config.loop.interval_s,
            instruments=(
                tally,
                *controlled.instruments,
                service,
                lambda _: keep(),
                *(partial(each.show, objective) for each in exposition),
                *page,
                *view,
            ),
            horizon_s=config.forecast.horizon_s,
            latency=_latency(calibration),
            warn=partial(_warning, lease, managers),
        )
        if crashed:
            _resume(loop, journal.last_memory(plant.name), say)
        journal.start_run(plant.name, policy.name, config.model_dump_json())
        gc.collect()
        gc.freeze()  # or a full collection, in the middle of some tick, would walk every module
        loop.run(stopping, math.inf if ours else options.duration_s or math.inf)
        report = report_from(
            controlled.summary(),
            plant=plant.name,
            policy=policy.name,
            shadow=acting == frozenset(),
            acting="all" if acting is None else ", ".join(sorted(acting)) or "none",
            deadline_ms=controlled.deadline_ms(),
            buffer_blocks=config.objective.buffer_blocks,
            decisions=tally.decisions,
            rollbacks=tally.rollbacks,
            steal_share=tally.steal_share,
            overhead=tally.overhead(),
        )
        journal.end_run(report.model_dump_json())
    return report


@dataclass(frozen=True, slots=True)
class _Controlled:
    """A plant, what is to be achieved there, and who tells the figures of the run."""

    plant: Plant
    objective: Objective
    summary: Callable[[], dict[str, Any]]
    deadline_ms: Callable[[], float]
    helpers: Callable[[], tuple[int, ...]] = tuple
    instruments: tuple[Instrument, ...] = ()


def _builtin(
    given: Surroundings,
    directory: Path,
    spec: PipelineSpec,
    pipeline: subprocess.Popen[str] | None,
) -> _Controlled:
    """The pipeline of our own, which keeps its figures itself."""
    ended = None if pipeline is None else partial(how_it_ended, pipeline)
    interval_s = given.config.loop.interval_s
    plant = BuiltinPlant(
        directory, spec, given.clock, given.lease, given.permissions, interval_s, ended
    )
    objective = given.config.objective.for_deadline(given.config.pipeline.period_ms)
    return _Controlled(plant, objective, plant.summary, lambda: objective.deadline_ms)


def _attached(plant: AttachedPlant, config: Config) -> _Controlled:
    """A plant that others started, of which we know what we observed."""
    objective = config.objective.for_deadline(plant.deadline_ms)
    observed = Observed(plant.counted)
    return _Controlled(
        plant, objective, observed.summary, lambda: plant.deadline_ms, plant.helpers, (observed,)
    )


def _latency(calibration: Calibration | None) -> LatencyModel | None:
    """What policies are told of the pipeline: nothing, unless it was measured here."""
    if calibration is None or not calibration.node_tables:
        return None
    return TabulatedLatency(calibration)


def _check_acting(acting: frozenset[str] | None, plant: Plant) -> None:
    """See that the plant has the knobs that are to be turned."""
    known = ", ".join(sorted(plant.knobs()))
    for knob in sorted(acting or ()):
        if knob not in plant.knobs():
            raise ConfigurationError("loop.act", knob, "no such knob", f"this plant has {known}")


def _schedules(acting: frozenset[str] | None, plant: Plant) -> bool:
    """Whether threads are rescheduled, which other managers may change again."""
    return THREADS in plant.knobs() and (acting is None or THREADS in acting)


def _warning(lease: Lease, managers: ManagerWatch | None) -> str | None:
    """What stands in the way of scheduling threads: an alarm of the loop."""
    told = (lease.warn(), None if managers is None else managers.warn())
    return "; ".join(each for each in told if each is not None) or None


def pipeline_spec(options: RunOptions, config: Config) -> PipelineSpec:
    """What the built-in pipeline is told."""
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
        record=_absolute(options.record),
        stress=chosen.stress,
        stress_after_s=chosen.stress_after_s,
        audio_share=config.budget.audio + config.budget.hrtf,
        reserve_share=config.budget.reserve,
        analysis_share=share if chosen.analysis else None,
        visualisation_share=share if chosen.visualisation else None,
        executor=chosen.executor,
        knobs=chosen.knobs,
        limits=chosen.limits,
        farewell_s=FAREWELL_S + 2 * config.loop.interval_s,
    )


@contextmanager
def _signals(clock: WallClock) -> Iterator[Callable[[], bool]]:
    """Ask the loop for an end, and never break a tick in two; whether that was asked."""
    asked: list[int] = []

    def ask(number: int, _: object) -> None:
        asked.append(number)
        clock.wake()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _favoured() -> Iterator[None]:
    """Let the loop run before ordinary work, for as long as it lasts."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, min(nice, CONTROLLER_NICE))
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, nice)


def _keeper(journal: Journal, lease: Lease, left: tuple[RestoreCommand, ...]) -> Callable[[], None]:
    """Keeps how threads and settings were found, for the case that the watchdog dies as well.

    Beside them what an earlier run left that could not be restored yet.
    """
    return lambda: journal.keep_originals(lease.originals(), (*left, *lease.settings()))


def _release(lease: Lease, keep: Callable[[], None], say: Callable[[str], None]) -> None:
    """Restore what is still changed, and leave what refuses to the next start."""
    for refused in lease.release().refused:
        say(f"could not be restored, which the next start tries again: {refused}")
    keep()


def _restore_left_over(journal: Journal, say: Callable[[str], None]) -> tuple[RestoreCommand, ...]:
    """Put right what an earlier controller left behind; the settings where one could not be."""
    restored = restoration.restore_threads(journal.left_over()).restored
    left = journal.left_over_settings()
    settings = restoration.restore_settings(left)
    if restored:
        say(f"restored the scheduling of {restored} threads that an earlier run had left changed")
    if settings.restored:
        say(f"settings of a server restored that an earlier run left changed: {settings.restored}")
    for refused in settings.refused:
        say(f"an earlier run left a setting changed that could not be restored: {refused}")
    left = left if settings.refused else ()
    journal.keep_originals({}, left)
    return left


def _crashed(directory: StateDirectory) -> bool:
    """Whether the last run came to no end of its own."""
    with JournalReader(directory.journal_path) as reader:
        runs = reader.runs()
    return bool(runs) and runs[-1].ended_at_s is None


def _start_or_take_over(
    stack: ExitStack,
    directory: Path,
    spec: PipelineSpec,
    stopping: Callable[[], bool],
    say: Callable[[str], None],
) -> subprocess.Popen[str] | None:
    """The pipeline's process where it was started here; None where it plays on."""
    playing, started = running_pipeline(directory), None
    if playing == spec:
        say("a pipeline of an earlier run plays on; taking it over")
    else:
        if playing is not None:
            say("a pipeline of an earlier run plays on with other options; ending it")
        stop_pipeline(directory)
        started = start_pipeline(directory, spec, stopping, say)
        stack.callback(started.wait)
    stack.callback(stop_pipeline, directory)
    return started


def _permissions(unthrottled: bool, say: Callable[[str], None]) -> Permissions:
    """What the kernel grants here; where that is less than all, it is said once."""
    permissions = permitted(unthrottled)
    if not permissions.realtime:
        say(f"real-time scheduling is refused; going on with what is allowed ({permissions.why})")
    return permissions


def _tell_programs(config: Config, named_at: int | None, say: Callable[[str], None]) -> None:
    """What was found by a name that does not tell by itself which program is meant."""
    programs = dict.fromkeys((*config.sidecar.processes, *config.sidecar.background))
    running = others() if programs else []
    for remark in filter(None, (remark_on(each, running, named_at) for each in programs)):
        say(remark)


def _resume(loop: Loop, memory: State, say: Callable[[str], None]) -> None:
    if memory is None:
        return
    try:
        loop.resume(memory)
    except (KeyError, ValueError) as error:
        say(f"the last run's memory cannot be read ({error}); starting afresh")
        return
    say("the last run ended without notice; going on from its last tick")


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()
