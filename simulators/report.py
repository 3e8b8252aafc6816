"""The report of a simulation: its figures, as the command writes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from policies.observation import BlockCounts
from simulators.figures import Figures
from simulators.levels.level import LevelName
from simulators.oracle import OraclePlan
from simulators.simulation import Simulation
from simulators.timeline import Timeline


class Blocks(Figures):
    """Blocks of all streams by outcome: submitted = on_time + late + concealed + lost."""

    submitted: int
    on_time: int
    late: int
    concealed: int
    lost: int


class Latency(Figures):
    """Quantiles of the latency of a block, milliseconds; None where no block was finished."""

    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class OracleFigures(Figures):
    """Cost and misses of one who knows the load."""

    miss_rate: float
    node_hours: float
    cost: float


class SimulationReport(Figures):
    """A policy on a load. All figures are over the scored steps, without the warm-up.

    `gaps_s` is how long nothing is known of the load, which is not scored. `knobs` names those
    the policy turned, in the warm-up too. `oracle` pays the real start delay and has the same
    miss budget; `oracle_instant` has nodes at once and meets the target in each interval by
    itself. `cost_vs_oracle` is None where the oracle needs no node, or where not even it can
    meet the target. A decision is wrong in its direction where what it turned the nodes away
    from is what the load then asked for.
    """

    policy: str
    trace: str
    seed: int
    level: LevelName
    interval_s: float
    simulated_s: float
    gaps_s: float
    wall_s: float
    knobs: tuple[str, ...]
    blocks: Blocks
    miss_rate: float | None
    latency_ms: Latency
    node_hours: Annotated[float, Field(ge=0.0)]
    cost: float
    oracle: OracleFigures
    oracle_instant: OracleFigures
    cost_vs_oracle: float | None
    decisions: int
    wrong_direction_actions: int
    alarms: dict[str, int]


def report_of(
    simulation: Simulation,
    timeline: Timeline,
    oracle: OraclePlan,
    instant: OraclePlan,
    wall_s: float,
) -> SimulationReport:
    """The figures of a run, `wall_s` seconds long, beside those of the two oracles."""
    price, counts, node_hours = simulation.node_hour, timeline.counts(), timeline.node_hours()
    load = timeline.load
    return SimulationReport(
        policy=simulation.policy,
        trace=simulation.trace.name,
        seed=simulation.seed,
        level=simulation.level,
        interval_s=simulation.step_s,
        simulated_s=float(load.scored.sum()) * simulation.step_s,
        gaps_s=float((~load.known[load.warm_up_steps :]).sum()) * simulation.step_s,
        wall_s=wall_s,
        knobs=tuple(sorted(timeline.knobs)),
        blocks=_blocks(counts),
        miss_rate=counts.miss_rate,
        latency_ms=_latency(timeline.latency_ms()),
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


def _blocks(counts: BlockCounts) -> Blocks:
    return Blocks(
        submitted=counts.submitted,
        on_time=counts.on_time,
        late=counts.late,
        concealed=counts.concealed,
        lost=counts.lost,
    )


def _latency(quantiles_ms: tuple[float, float, float, float] | None) -> Latency:
    p50, p95, p99, most = quantiles_ms or (None,) * 4
    return Latency(p50=p50, p95=p95, p99=p99, max=most)


def _oracle_figures(plan: OraclePlan, price: float) -> OracleFigures:
    return OracleFigures(
        miss_rate=plan.miss_rate, node_hours=plan.node_hours, cost=plan.node_hours * price
    )


def _vs_oracle(node_hours: float, oracle: OraclePlan, target: float) -> float | None:
    """Relative cost; None where the oracle needs no node, or cannot keep the target either."""
    if not oracle.node_hours or oracle.miss_rate > target * (1.0 + 1e-9):
        return None
    return node_hours / oracle.node_hours
