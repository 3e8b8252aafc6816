"""A load that rises at once from a level at which a policy has settled, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from controller.load.trace import LoadTrace
from controller.tick import Tick
from kapellmeister.bench.policies.directions import direction
from policies.knobs import Direction, Knob
from policies.policy import Context, Policy, State
from policies.proposal import Proposal
from simulators.run import make_plant, run
from simulators.simulation import Simulation
from simulators.timeline import Timeline

SETTLING_S = 7200
"""Time for which the load stays as it is before it rises."""
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A load of so many streams until `SETTLING_S`, then `factor` times as many for `lasting_s`.

    What follows is watched for `watched_s`, the rise included.
    """

    streams: int
    factor: float
    lasting_s: int
    watched_s: int

    def trace(self) -> LoadTrace:
        """A sample a second. A load reaches a sample when the next comes, hence one earlier."""
        seconds = np.arange(SETTLING_S + self.watched_s)
        risen = (seconds >= SETTLING_S - 1) & (seconds < SETTLING_S - 1 + self.lasting_s)
        streams = self.streams * np.where(risen, self.factor, 1.0)
        name = f"{self.streams} streams, then {self.factor:g} times"
        return LoadTrace(name, tuple(seconds.astype(float).tolist()), tuple(streams.tolist()))


@dataclass(frozen=True, slots=True)
class Response:
    """Second by second from the rise on: blocks and those missed; and what was turned.

    `turned` are direction, knob and value with the seconds since the rise. `nodes` and
    `batch_size` are those at which the policy had settled.
    """

    blocks: Integers
    missed: Integers
    turned: tuple[tuple[float, Direction, str, str], ...]
    nodes: int
    batch_size: int


class NodesAlone:
    """A policy that from `from_s` on may turn nothing but nodes; what it set before stays."""

    def __init__(self, policy: Policy, from_s: float) -> None:
        self._policy = policy
        self._from_s = from_s

    @property
    def name(self) -> str:
        """The policy's."""
        return self._policy.name

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Show it the nodes alone, and let nothing else pass."""
        if context.time_s <= self._from_s:
            return self._policy.decide(context, state)
        nodes = {knob: each for knob, each in context.knobs.items() if knob == "nodes"}
        proposal, state = self._policy.decide(replace(context, knobs=nodes), state)
        allowed = tuple(each for each in proposal.actions if each.knob == "nodes")
        return replace(proposal, actions=allowed), state


def respond(
    simulation: Simulation, disturbance: Disturbance, *, nodes_alone: bool = False
) -> Response:
    """Play it at ticks of a second; `nodes_alone` from the rise on, with all that was before."""
    simulation = replace(simulation, trace=disturbance.trace(), interval_s=1.0)
    load = simulation.load()
    knobs = make_plant(simulation, load).knobs()
    ticks: list[Tick] = []

    def note(tick: Tick) -> None:
        if tick.time_s > SETTLING_S and tick.changes:
            ticks.append(tick)

    from_s = float(SETTLING_S) if nodes_alone else float("inf")
    timeline = run(
        simulation, load, instruments=(note,), wrap=lambda policy: NodesAlone(policy, from_s)
    )
    return _response(timeline, tuple(_turned(ticks, knobs)))


def _response(
    timeline: Timeline, turned: tuple[tuple[float, Direction, str, str], ...]
) -> Response:
    missed = timeline.late + timeline.lost
    return Response(
        blocks=(timeline.on_time + missed)[SETTLING_S:],
        missed=missed[SETTLING_S:],
        turned=turned,
        nodes=int(timeline.ready[SETTLING_S - 1]),
        batch_size=int(timeline.batch_size[SETTLING_S - 1]),
    )


def _turned(
    ticks: Sequence[Tick], knobs: Mapping[str, Knob]
) -> Iterator[tuple[float, Direction, str, str]]:
    for tick in ticks:
        for change in tick.changes:
            action = change.action
            since_s = tick.time_s - SETTLING_S
            yield since_s, direction(knobs, change), action.knob, str(action.value)


def growth_after_s(turned: Sequence[tuple[float, Direction, str, str]], knob: str) -> float | None:
    """Seconds until the first growth of a knob; None where there was none."""
    grown = (since_s for since_s, way, each, _ in turned if (each, way) == (knob, Direction.GROW))
    return next(grown, None)


def misses_end_after_s(blocks: Integers, missed: Integers, target: float) -> int:
    """Seconds until all that is missed from then on, taken together, is within the target.

    A second more or less on target is no end and no beginning of misses.
    """
    left = np.append(np.cumsum((missed - target * blocks)[::-1])[::-1], 0.0)
    return int(np.argmax(left <= 0.0))
