"""The main job: start or take over a plant, control it, and say what came of it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from rich.console import Console

from controller.clock import WallClock
from controller.config.config import Config
from controller.errors import ConfigurationError
from controller.instruments.systemd import ServiceManager
from controller.journal.journal import Journal
from controller.journal.loss_watch import LossWatch
from controller.journal.state_directory import StateDirectory
from controller.loop import Instrument
from controller.plants.plant import Plant, Surroundings
from controller.watchdog.lease import Lease, lease_s
from kapellmeister.running.controlled.access import check_proc
from kapellmeister.running.controlled.chosen_plant import chosen_plant
from kapellmeister.running.controlled.controlled import Controlled
from kapellmeister.running.instruments import draw_live, facts, serve_metrics, serve_page
from kapellmeister.running.leftovers import (
    keeper,
    release,
    restore_left_over,
    resume,
    was_cut_short,
)
from kapellmeister.running.options import RunOptions
from kapellmeister.running.process import ended_by_signals, granted, raised_priority
from kapellmeister.running.report import RunReport, report_from
from kapellmeister.running.tally import Tally
from kapellmeister.running.wiring import ForecasterLimits, Parts, make_loop


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
    chosen, parts = chosen_plant(options, config, say), Parts.named(options, config)
    acting, duration_s, policy = chosen.acting, chosen.duration_s, parts.policy
    check_proc(options.plant)
    chosen.check()
    clock = WallClock()
    with ExitStack() as stack:
        stopping = stack.enter_context(ended_by_signals(clock))
        directory = StateDirectory(options.state_directory)
        stack.enter_context(directory.lock())
        journal = stack.enter_context(Journal.open(directory.journal_path))
        watch = LossWatch(say, directory.journal_path, directory.lock_path)
        journal.prune(config.journal.keep_days)
        exposition = serve_metrics(stack, config)
        page = serve_page(stack, config, say)
        left, cut_short = restore_left_over(journal, say), was_cut_short(directory)
        attach = stack.enter_context(chosen.made_ready(directory.path, stopping, say))
        lease = Lease.start(lease_s(config.loop.interval_s))
        keep = keeper(journal, lease, left)
        stack.callback(release, lease, keep, say)
        permissions = granted(config.sidecar.realtime_without_throttling, say)
        if permissions.nice:
            stack.enter_context(raised_priority())  # after the children, which would inherit it
        given = Surroundings(config, clock, lease, permissions, say, options.named_at)
        controlled = attach(given)
        plant, objective = controlled.plant, controlled.objective
        stack.callback(plant.close)
        _check_acting(acting, plant)
        for shown_to in page:
            told = facts(plant, policy, config, objective, acting, duration_s)
            shown_to.begin(told, plant.knobs)
        limits = ForecasterLimits.within(stack, config)
        tally = Tally(lambda: (*lease.watchers, *controlled.helpers()), lambda: limits.fits.cpu_s)
        view = draw_live(stack, view_on, plant, policy.name, objective, duration_s, tally)
        service = stack.enter_context(ServiceManager())
        metrics = (partial(each.show, objective) for each in exposition)
        own: tuple[Instrument, ...] = (tally, *controlled.instruments)
        others: tuple[Instrument, ...] = (service, lambda _: keep(), *metrics, *page, *view)
        loop = make_loop(given, controlled, parts, limits, acting, journal, watch, own + others)
        if cut_short:
            resume(loop, journal.last_saved(plant.name), say)
        journal.start_run(plant.name, policy.name, config.model_dump_json())
        gc.collect()
        gc.freeze()  # or a full collection, in the middle of some tick, would walk every module
        loop.run(stopping, chosen.limit_s)
        report = _report(controlled, policy.name, acting, config, tally, watch)
        journal.end_run(report.model_dump_json())
    return report


def _check_acting(acting: frozenset[str] | None, plant: Plant) -> None:
    """See that the plant has the knobs that are to be turned."""
    known = ", ".join(sorted(plant.knobs()))
    for knob in sorted(acting or ()):
        if knob not in plant.knobs():
            raise ConfigurationError("loop.act", knob, "no such knob", f"this plant has {known}")


def _report(
    controlled: Controlled,
    policy: str,
    acting: frozenset[str] | None,
    config: Config,
    tally: Tally,
    watch: LossWatch,
) -> RunReport:
    """The plant's figures, and those of control beside them."""
    return report_from(
        controlled.summary(),
        plant=controlled.plant.name,
        policy=policy,
        shadow=acting == frozenset(),
        acting="all" if acting is None else ", ".join(sorted(acting)) or "none",
        deadline_ms=controlled.deadline_ms(),
        buffer_blocks=config.objective.buffer_blocks,
        decisions=tally.decisions,
        rollbacks=tally.rollbacks,
        steal_share=tally.steal_share,
        overhead=tally.overhead(),
        unrecorded=None if watch.lost is None else str(watch.lost),
    )
