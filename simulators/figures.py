"""The figures of one simulation, as the command writes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Figures(BaseModel):
    """Frozen figures; a key that does not exist is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    """What one who knows the load would have paid, and missed."""

    miss_rate: float
    node_hours: float
    cost: float


class SimulationReport(Figures):
    """One policy on one load. All figures are over the scored steps, without the warm-up.

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
    level: Literal["interval", "batch", "block"]
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
