"""One policy on one load: the very loop that runs live, against a plant in numbers."""

from __future__ import annotations

import gc
import json
import math
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from controller import plugins
from controller.commands import Command
from controller.config.config import GuardSection, ThresholdsSection
from controller.diagnosis.diagnostician import Diagnostician
from controller.errors import KnobError, NothingToTurnError, PolicyFailure
from controller.forecasting.supervised import Supervised, make_forecaster
from controller.guard.guard import Guard
from controller.load.trace import LoadTrace
from controller.loop import Instrument, Loop
from controller.plain import JsonValue
from controller.tick import Tick
from controller.verification import Verifier
from policies.diagnosis import Bottleneck, Diagnosis
from policies.knobs import Settings
from policies.latency import Calibration
from policies.objective import Objective, Prices
from policies.policy import Policy
from simulators.clock import SimulatedClock
from simulators.figures import Blocks, Latency, OracleFigures, SimulationReport
from simulators.levels.closed_form import IntervalLevel, quiet_work
from simulators.levels.draws import uniform
from simulators.levels.exact import BatchLevel, BlockLevel
from simulators.levels.latency import IntervalLatency
from simulators.loads.path import Load, realise
from simulators.oracle import Horizon, OraclePlan, oracle_delayed, oracle_instant
from simulators.plant.faults import Schedule
from simulators.plant.plant import SimulatedPlant, World, available_knobs
from simulators.plant.service import BlockServer, IntervalServer, Server
from simulators.time_box import TimeBoxed
from simulators.timeline import Timeline

LevelName = Literal["interval", "batch", "block"]
INTERVAL_S: Mapping[LevelName, float] = MappingProxyType(
    {"interval": 15.0, "batch": 1.0, "block": 1.0}
)
SHARE_OF_A_NODE_SPARE = 2
"""The most nodes a simulation allows, as a multiple of what the peak needs."""
BATCH_SIZE = 16
"""What every simulation begins with; who turns only nodes, and the oracle, keep it."""
VRAM_BLOCK_BYTES = 1 << 17
"""Likewise."""
UNDIAGNOSED = Diagnosis(Bottleneck.NONE, "the policy looks at no diagnosis")
START_LAW = -3
"""What a draw is for: the start-up times of nodes."""
PROGRESS_EVERY = 200
OBJECTS_A_COLLECTION = 50_000


@dataclass(frozen=True, slots=True)
class Simulation:
    """What to simulate: a value, of which the same gives the same figures.

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
        """In the policies' own words."""
        return Objective(
            deadline_ms=self.calibration.period_ms,
            target_miss_rate=self.target_miss_rate,
            prices=Prices(self.node_hour),
        )

    def load(self) -> Load:
        """The load path of this trace and seed, with as much warm-up as the policy needs."""
        load = realise(
            self.trace,
            self.step_s,
            self.seed,
            peak_streams=self.peak_streams,
            last_days=self.last_days,
        )
        policy = plugins.find("policies", self.policy)
        looks_back_s = getattr(policy, "looks_back_s", math.inf)
        if getattr(policy, "uses_forecast", True):
            forecaster = plugins.find("forecasters", self.forecaster)
            looks_back_s = max(looks_back_s, getattr(forecaster, "looks_back_s", math.inf))
        if not math.isfinite(looks_back_s):
            return load
        return load.from_step(max(0, load.warm_up_steps - math.ceil(looks_back_s / self.step_s)))


class _Nobody:
    """Records nothing, commands nothing: a simulation has no journal and no terminal."""

    def record(
        self,
        tick: Tick,
        memory: Callable[[], JsonValue],
        learned: Callable[[], JsonValue] | None = None,
    ) -> None:
        """Forget it."""

    def take(self) -> Sequence[tuple[int, Command]]:
        """No command ever comes."""
        return ()

    def answer(self, command: int, text: str) -> None:
        """Nobody asked."""


@dataclass(frozen=True, slots=True)
class Result:
    """The figures, and the steps and the two oracles that they come from."""

    report: SimulationReport
    timeline: Timeline
    oracle: OraclePlan
    oracle_instant: OraclePlan


def simulate(simulation: Simulation, progress: Callable[[float], None] = lambda _: None) -> Result:
    """Play one policy on one load, and hold it against who knows the load.

    Raises a KapellmeisterError for a policy that does not exist, and PolicyFailure where it
    raises or returns nonsense.
    """
    started_s = time.perf_counter()
    load = simulation.load()
    timeline = run(simulation, load, progress)
    plans = oracles(simulation, load, timeline.scored)
    wall_s = time.perf_counter() - started_s
    return Result(_report(simulation, timeline, *plans, wall_s), timeline, *plans)


def oracles(
    simulation: Simulation, load: Load, scored: NDArray[np.bool_]
) -> tuple[OraclePlan, OraclePlan]:
    """Who knows the load, with the real start delay and with none."""
    rates = node_miss_rates(simulation.calibration, BATCH_SIZE)
    capacity = node_capacity(simulation.calibration, BATCH_SIZE, simulation.target_miss_rate)
    most = 1 + -(-max(1, int(load.streams.max())) // capacity)
    horizon = Horizon(load.streams, scored, rates, load.step_s, most)
    target = simulation.target_miss_rate
    delayed = oracle_delayed(horizon, simulation.node_start_s, target)
    return delayed, oracle_instant(horizon, target)


def _report(
    simulation: Simulation,
    timeline: Timeline,
    oracle: OraclePlan,
    instant: OraclePlan,
    wall_s: float,
) -> SimulationReport:
    price, counts, node_hours = simulation.node_hour, timeline.counts(), timeline.node_hours()
    latency = timeline.latency_ms() or (None,) * 4
    return SimulationReport(
        policy=simulation.policy,
        trace=simulation.trace.name,
        seed=simulation.seed,
        level=simulation.level,
        interval_s=simulation.step_s,
        simulated_s=float(timeline.scored.sum()) * simulation.step_s,
        gaps_s=float((~timeline.load.known[timeline.load.warm_up_steps :]).sum())
        * simulation.step_s,
        wall_s=wall_s,
        knobs=tuple(sorted(timeline.knobs)),
        blocks=Blocks(
            submitted=counts.submitted,
            on_time=counts.on_time,
            late=counts.late,
            concealed=counts.concealed,
            lost=counts.lost,
        ),
        miss_rate=counts.miss_rate,
        latency_ms=Latency(**dict(zip(("p50", "p95", "p99", "max"), latency, strict=True))),
        node_hours=node_hours,
        cost=node_hours * price,
        oracle=_oracle_figures(oracle, price),
        oracle_instant=_oracle_figures(instant, price),
        cost_vs_oracle=_vs_oracle(node_hours, oracle, simulation.target_miss_rate),
        decisions=timeline.decisions,
        wrong_direction_actions=timeline.wrong_directions(
            instant.nodes, round(2 * simulation.node_start_s / simulation.step_s)
        ),
        alarms=timeline.alarms,
    )


def _oracle_figures(plan: OraclePlan, price: float) -> OracleFigures:
    return OracleFigures(
        miss_rate=plan.miss_rate, node_hours=plan.node_hours, cost=plan.node_hours * price
    )


def _vs_oracle(node_hours: float, oracle: OraclePlan, target: float) -> float | None:
    """Relative cost; None where the oracle needs no node, or cannot keep the target either."""
    if not oracle.node_hours or oracle.miss_rate > target * (1.0 + 1e-9):
        return None
    return node_hours / oracle.node_hours


def run(
    simulation: Simulation,
    load: Load,
    progress: Callable[[float], None] = lambda _: None,
    instruments: Sequence[Instrument] = (),
    wrap: Callable[[Policy], Policy] = lambda policy: policy,
) -> Timeline:
    """Play the whole load, warm-up included; `progress` is told the part that is done.

    `instruments` see each tick; `wrap` makes of the policy the one that is asked.
    """
    policy = TimeBoxed(lambda: wrap(make_policy(simulation.policy, simulation.constants)))
    with policy, _rare_collections():
        policy.renew()
        return _run(simulation, load, policy, progress, instruments)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """A tick leaves no cycles behind, so that to look for them as often as usual is a waste."""
    thresholds = gc.get_threshold()
    gc.set_threshold(OBJECTS_A_COLLECTION, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _run(
    simulation: Simulation,
    load: Load,
    policy: TimeBoxed,
    progress: Callable[[float], None],
    instruments: Sequence[Instrument],
) -> Timeline:
    plant = make_plant(simulation, load)
    clock = SimulatedClock(load.begin_s)
    timeline = Timeline(load)
    loop = _loop(simulation, plant, clock, policy, instruments)
    steps = load.streams.size
    for step in range(steps):
        ended_s = load.begin_s + (step + 1) * load.step_s
        clock.sleep_until(ended_s)
        if simulation.faults.beginning("controller_restart", ended_s - load.step_s, ended_s):
            memory = json.loads(json.dumps(loop.memory()))
            policy.renew()
            loop = _loop(simulation, plant, clock, policy, instruments)
            loop.resume(memory)
        tick = loop.tick()
        if tick.alarms and tick.proposal.reason in tick.alarms:  # the loop's word for a failure
            raise PolicyFailure(simulation.policy, ended_s, tick.proposal.reason)
        timeline.add(plant.last, tick)
        if step % PROGRESS_EVERY == 0:
            progress(step / steps)
    return timeline


def make_plant(simulation: Simulation, load: Load) -> SimulatedPlant:
    """The plant of a simulation: with as many nodes as its first load needs, at its start."""
    capacity = node_capacity(simulation.calibration, BATCH_SIZE, simulation.target_miss_rate)
    peak = max(1, int(load.streams.max()))
    world = World(
        calibration=simulation.calibration,
        nodes=max(1, -(-int(load.streams[0]) // capacity)),
        nodes_max=SHARE_OF_A_NODE_SPARE * -(-peak // capacity) + 1,
        start_law=_start_law(simulation),
        start_s=simulation.node_start_s,
        seed=simulation.seed,
        batch_size=BATCH_SIZE,
        vram_block_bytes=VRAM_BLOCK_BYTES,
        knobs=simulation.knobs,
        faults=simulation.faults,
        telemetry_delay=simulation.telemetry_delay,
        telemetry_loss=simulation.telemetry_loss,
    )
    return SimulatedPlant(world, load, _server(simulation))


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


@lru_cache(maxsize=16)
def interval_level(calibration: Calibration) -> IntervalLevel:
    """The closed form of a pipeline; it remembers what it was asked once."""
    return IntervalLevel(calibration)


@lru_cache(maxsize=16)
def latency_model(calibration: Calibration) -> IntervalLatency:
    """What policies are told of a pipeline."""
    found = Settings.of({"batch_size": BATCH_SIZE, "vram_block_bytes": VRAM_BLOCK_BYTES})
    return IntervalLatency(interval_level(calibration), calibration, found)


def node_capacity(calibration: Calibration, batch_size: int, target_miss_rate: float) -> int:
    """The most streams on a node that miss no more than the target, at least one.

    Never more than the node can keep up with, whatever the target.
    """
    level, stable = interval_level(calibration), int(calibration.stable_streams(batch_size)) + 1

    def misses(streams: int) -> bool:
        return level.law(quiet_work(streams, batch_size)).miss_rate > target_miss_rate

    return max(1, bisect_left(range(stable), True, key=misses) - 1)


def node_miss_rates(calibration: Calibration, batch_size: int) -> NDArray[np.float64]:
    """Miss rate of a node by its streams, from none to twice what it could ever carry."""
    streams_max = 2 * int(calibration.stable_streams(batch_size)) + 1
    return interval_level(calibration).miss_rates(streams_max, batch_size)


def _server(simulation: Simulation) -> Server:
    match simulation.level:
        case "interval":
            return IntervalServer(interval_level(simulation.calibration))
        case "batch":
            return BlockServer(BatchLevel(simulation.calibration))
        case "block":
            return BlockServer(BlockLevel(simulation.calibration))


def _start_law(simulation: Simulation) -> Callable[[int], float]:
    mean_s, variation = simulation.node_start_s, simulation.node_start_variation
    if variation <= 0.0:
        return lambda _: mean_s
    from policies.latency import lognormal

    factors = lognormal(variation)

    def start_s(node: int) -> float:
        return mean_s * factors[int(uniform(simulation.seed, node, 0, START_LAW) * len(factors))]

    return start_s


def _loop(
    simulation: Simulation,
    plant: SimulatedPlant,
    clock: SimulatedClock,
    policy: TimeBoxed,
    instruments: Sequence[Instrument],
) -> Loop:
    limits, objective, nobody = GuardSection(), simulation.objective, _Nobody()
    return Loop(
        plant=plant,
        policy=policy,
        objective=objective,
        forecaster=_forecaster(simulation.forecaster, policy),
        diagnostician=_diagnostician(simulation, policy.policy),
        guard=Guard(limits),
        verifier=Verifier(limits, objective),
        recorder=nobody,
        commands=nobody,
        clock=clock,
        interval_s=simulation.step_s,
        instruments=instruments,
        latency=latency_model(simulation.calibration) if simulation.modelled else None,
    )


def make_policy(name: str, constants: Mapping[str, float]) -> Policy:
    """The policy of that name with these constants. Raises PlugInError where there is none."""
    made: Policy = plugins.make("policies", name, ("name", "decide"), **constants)
    return made


class _NoDiagnosis:
    """Takes readings and says nothing: for a policy that looks at no diagnosis."""

    def diagnose(self, *_: object) -> Diagnosis:
        """None was asked for."""
        return UNDIAGNOSED

    def track_latency(self, component: str, value_ms: float) -> None:
        """Nobody asks for it."""


def _diagnostician(simulation: Simulation, policy: Policy) -> Diagnostician | _NoDiagnosis:
    """One that names no bottleneck for a policy that says of itself that it looks at none."""
    if not getattr(policy, "uses_diagnosis", True):
        return _NoDiagnosis()
    return Diagnostician(ThresholdsSection(), simulation.objective, simulation.calibration)


def _forecaster(name: str, policy: TimeBoxed) -> Supervised | None:
    """None for a policy that says of itself that it looks at no forecast."""
    if not getattr(policy.policy, "uses_forecast", True):
        return None
    return Supervised(make_forecaster(name), box=policy)
