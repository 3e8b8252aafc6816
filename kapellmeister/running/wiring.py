"""The loop of a run, put together from its parts."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from controller import plugins
from controller.config.config import Config
from controller.diagnosis.diagnostician import Diagnostician
from controller.forecasting.fit_process import FitProcess
from controller.forecasting.forecaster import Forecaster
from controller.forecasting.supervised import Supervised, make_forecaster
from controller.guard.guard import Guard
from controller.journal.journal import Journal
from controller.journal.loss_watch import LossWatch
from controller.loop import Instrument, Loop
from controller.plants.plant import Surroundings
from controller.time_box import TimeBox
from controller.verification import Verifier
from controller.watchdog.lease import Lease
from kapellmeister.running.controlled.controlled import Controlled
from kapellmeister.running.options import RunOptions
from policies.latency import Calibration, LatencyModel, TabulatedLatency
from policies.policy import Policy
from simulators.calibration.pipeline_file import read_calibration

LONGEST_CALL_S = 2.0
"""Seconds after which, or after twice as many, a forecaster's call is broken off."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts that a user names; `calibration` is None where the pipeline was not measured."""

    policy: Policy
    forecaster: Forecaster
    calibration: Calibration | None

    @classmethod
    def named(cls, options: RunOptions, config: Config) -> Parts:
        """The parts that options and configuration name.

        Raises PlugInError or CalibrationError for a name or a file that cannot be meant.
        """
        policy: Policy = plugins.make("policies", config.loop.policy, ("name", "decide"))
        forecaster = make_forecaster(config.forecast.model)
        path = options.calibration
        return cls(policy, forecaster, None if path is None else read_calibration(path))

    @property
    def latency(self) -> LatencyModel | None:
        """The law that policies are told of the pipeline: none, unless it was measured here."""
        if self.calibration is None or not self.calibration.node_tables:
            return None
        return TabulatedLatency(self.calibration)


@dataclass(frozen=True, slots=True)
class ForecasterLimits:
    """Bounds on what a forecaster costs: fits in a process of their own, and calls in a box."""

    fits: FitProcess
    box: TimeBox

    @classmethod
    def within(cls, stack: ExitStack, config: Config) -> ForecasterLimits:
        """Both, closed with the stack."""
        fits = stack.enter_context(FitProcess(config.forecast.fit_budget_s))
        return cls(fits, stack.enter_context(TimeBox(LONGEST_CALL_S)))


def make_loop(
    given: Surroundings,
    controlled: Controlled,
    parts: Parts,
    limits: ForecasterLimits,
    acting: frozenset[str] | None,
    journal: Journal,
    watch: LossWatch,
    instruments: tuple[Instrument, ...],
) -> Loop:
    """The loop that controls, recorded in the journal, which brings commands as well."""
    config, objective = given.config, controlled.objective
    interval_s, period_ms = config.loop.interval_s, config.pipeline.period_ms
    return Loop(
        plant=controlled.plant,
        policy=parts.policy,
        objective=objective,
        forecaster=Supervised(parts.forecaster, limits.fits, interval_s / 2, limits.box),
        diagnostician=Diagnostician(config.thresholds, objective, parts.calibration, period_ms),
        guard=Guard(config.guard, acting),
        verifier=Verifier(config.guard, objective),
        recorder=journal,
        commands=journal,
        clock=given.clock,
        interval_s=interval_s,
        instruments=instruments,
        horizon_s=config.forecast.horizon_s,
        latency=parts.latency,
        warn=lambda: _warning(given.lease, controlled, watch),
    )


def _warning(lease: Lease, controlled: Controlled, watch: LossWatch) -> str | None:
    """Obstacles to scheduling threads, and a loss of the journal, for an alarm of the loop."""
    told = (lease.warn(), controlled.warn(), watch.warn())
    return "; ".join(each for each in told if each is not None) or None
