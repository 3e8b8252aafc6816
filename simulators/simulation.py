"""A simulation before it is played: one policy, one load, and the pipeline under them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controller import plugins
from controller.errors import KnobError, NothingToTurnError
from controller.load.trace import LoadTrace
from policies.latency import Calibration
from policies.objective import Objective, Prices
from simulators.levels.level import LevelName
from simulators.loads.load_path import Load, realise
from simulators.plant.faults import Schedule
from simulators.plant.knobs import available_knobs

INTERVAL_S: Mapping[LevelName, float] = MappingProxyType(
    {"interval": 15.0, "batch": 1.0, "block": 1.0}
)
"""Seconds of a control interval by level, where a simulation names none."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """All that a simulation depends on: equal ones give equal figures.

    `policy` and `forecaster` are names, as on the command line; `constants` are keyword
    arguments of the policy's constructor. `interval_s` None stands for 15 s at the interval
    level and 1 s at the others. `last_days` keeps only the end of the trace, and what warms up
    before it. A node serves `node_start_s` after its request, give or take a lognormal factor
    of `node_start_variation`. Of the knobs only those in `knobs` can be turned; None: all.
    Policies are told the laws of the pipeline, unless it is not `modelled` for them: so it is
    live without a calibration.
    """

    policy: str
    trace: LoadTrace
    seed: int = 1
    level: LevelName = "interval"
    interval_s: float | None = None
    peak_streams: int | None = None
    last_days: float | None = None
    knobs: tuple[str, ...] | None = None
    constants: Mapping[str, float] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=Calibration)
    node_start_s: float = 120.0
    node_start_variation: float = 0.0
    target_miss_rate: float = 0.001
    node_hour: float = 1.0
    faults: Schedule = field(default_factory=Schedule)
    forecaster: str = "last_value"
    telemetry_delay: int = 0
    telemetry_loss: float = 0.0
    modelled: bool = True

    @property
    def step_s(self) -> float:
        """The control interval, seconds."""
        return self.interval_s or INTERVAL_S[self.level]

    @property
    def objective(self) -> Objective:
        """The deadline, the target and the prices, in the policies' own words."""
        return Objective(
            deadline_ms=self.calibration.period_ms,
            target_miss_rate=self.target_miss_rate,
            prices=Prices(self.node_hour),
        )

    def load(self) -> Load:
        """The load path of this trace and seed, with as much warm-up as the policy needs.

        Raises PlugInError for a policy or forecaster that does not exist, and TraceError for a
        trace that is too short.
        """
        load = realise(
            self.trace,
            self.step_s,
            self.seed,
            peak_streams=self.peak_streams,
            last_days=self.last_days,
        )
        looks_back_s = self._looks_back_s()
        if not math.isfinite(looks_back_s):
            return load
        return load.from_step(max(0, load.warm_up_steps - math.ceil(looks_back_s / self.step_s)))

    def _looks_back_s(self) -> float:
        """Seconds that the policy remembers, and its forecaster where it looks at forecasts."""
        policy = plugins.find("policies", self.policy)
        looks_back_s: float = getattr(policy, "looks_back_s", math.inf)
        if not getattr(policy, "uses_forecast", True):
            return looks_back_s
        forecaster = plugins.find("forecasters", self.forecaster)
        return max(looks_back_s, getattr(forecaster, "looks_back_s", math.inf))


def check_names(simulation: Simulation) -> None:
    """Find out before anything is played whether all that is named is there.

    Raises PlugInError for a policy or forecaster, KnobError for a knob, and NothingToTurnError
    for a policy that turns other knobs than it may here.
    """
    policy = plugins.find("policies", simulation.policy)
    plugins.find("forecasters", simulation.forecaster)
    has = available_knobs(simulation.calibration)
    allowed = has if simulation.knobs is None else simulation.knobs
    for knob in allowed:
        if knob not in has:
            raise KnobError(knob, has)
    turns = frozenset(getattr(policy, "turns", None) or ())
    if turns and turns.isdisjoint(allowed):
        raise NothingToTurnError(simulation.policy, sorted(turns), allowed)
