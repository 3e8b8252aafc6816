"""The situation in which the conductor decides: what was seen of it, asked for once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from policies.conductor.node_law import NodeLaw
from policies.diagnosis import Diagnosis
from policies.knobs import Bounds, Knob, Settings
from policies.latency import LatencyModel
from policies.objective import Objective
from policies.observation import Observation, fresh
from policies.policy import Context


@dataclass(frozen=True, slots=True)
class NodePool:
    """How many nodes serve, were asked for and may be.

    `in_force` counts those that serve, whoever turns them; None where the plant does not say.
    `requested` includes those that have not come yet. `bounds` is None where nodes cannot be
    turned. `streams` are on the fullest node; None where there is no load. `lead_s` is the time
    from a decision until a node asked for then serves, one more interval until the next included.
    """

    in_force: int | None
    requested: int
    bounds: Bounds | None
    streams: float | None
    lead_s: float

    @property
    def sharing(self) -> int:
        """Nodes that share the load, one where the plant does not say."""
        return self.in_force or 1

    @classmethod
    def of(cls, context: Context, load: float | None, knob: Knob | None) -> NodePool:
        """A plant without nodes has none to turn, and its load on one."""
        in_force, state = _in_force(context), context.states.get("nodes")
        sharing = in_force or 1
        requested = None if state is None else state.requested
        bounds = knob.domain if knob is not None and isinstance(knob.domain, Bounds) else None
        lead_s = 2 * context.observation.interval_s
        if knob is not None and bounds is not None:
            lead_s = context.delays_s.get("nodes", knob.delay_s) + lead_s
        return cls(
            in_force,
            requested if isinstance(requested, int) else sharing,
            bounds,
            None if load is None or load < 1.0 else float(math.ceil(load / sharing)),
            lead_s,
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the questions of one decision have in common.

    `load`, `miss_rate` and `utilisation` (the part of its time that a node computes) are None
    where no valid reading arrived; `observation` holds what a single question asks for.
    `knobs` are those that may be turned, and `delays_s` how long each has lately taken to act.
    `latency` is the model of the pipeline, None where it was never calibrated, and `law` what that
    says of the settings in force, None where it does not know them.
    """

    time_s: float
    objective: Objective
    diagnosis: Diagnosis
    observation: Observation
    load: float | None
    miss_rate: float | None
    utilisation: float | None
    nodes: NodePool
    knobs: Mapping[str, Knob]
    settings: Settings
    delays_s: Mapping[str, float]
    latency: LatencyModel | None
    law: NodeLaw | None

    @classmethod
    def of(cls, context: Context, turns: frozenset[str] | None = None) -> Situation:
        """Ask the context once, of the knobs in `turns` alone; None: of all."""
        seen, settings, knobs = context.observation, context.settings, context.knobs
        if turns is not None:
            knobs = {name: knob for name, knob in knobs.items() if name in turns}
        load = fresh(seen.load)
        rates = None if context.latency is None else context.latency.miss_rates(settings)
        return cls(
            context.time_s,
            context.objective,
            context.diagnosis,
            seen,
            load,
            fresh(seen.miss_rate),
            fresh(seen.get("audio.utilisation")),
            NodePool.of(context, load, knobs.get("nodes")),
            knobs,
            settings,
            context.delays_s,
            context.latency,
            None if rates is None else NodeLaw(rates),
        )

    @property
    def missed(self) -> float:
        """Share of the interval's blocks that were missed, 0 where it is not known."""
        return self.miss_rate or 0.0

    @property
    def is_settled(self) -> bool:
        """Whether the plant is still the one it was, and awaits nothing that it put in force."""
        awaits = any(knob.awaits for knob in self.knobs.values())
        return not awaits and not self.observation.discontinuity


def _in_force(context: Context) -> int | None:
    nodes = context.settings.get("nodes")
    if nodes is None:
        nodes = int(fresh(context.observation.get("nodes.ready")) or 0)
    return nodes if isinstance(nodes, int) and nodes > 0 else None
