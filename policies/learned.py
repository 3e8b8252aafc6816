"""A trained agent as a policy: what stable-baselines3 saved, acting through loop and guard."""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from policies.features import BATCH_MOVES, LOOK_BACK_STEPS, Sight, nodes_after
from policies.knobs import Bounds, Choice
from policies.observation import fresh
from policies.policy import Context, State
from policies.proposal import Action, Effect, Expectation, Proposal

ALGORITHMS = ("PPO", "A2C")
"""Algorithms of stable-baselines3 that choose among several discrete actions at once."""


class Learned:
    """Decides as the trained agent would, without exploring; only the knobs that are there.

    `file` is what `model.save` wrote. Raises ImportError without stable-baselines3 and
    ValueError for a file that holds no such agent.
    """

    uses_forecast: ClassVar[bool] = False
    uses_diagnosis: ClassVar[bool] = False
    looks_back_s: ClassVar[float] = 7200.0

    def __init__(self, file: str) -> None:
        self.name = f"sb3:{file}"
        self._agent = _agent(str(Path(file)))

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Without a load, nodes to turn or a utilisation, everything stays as it is."""
        loads = [*_loads(state), fresh(context.observation.load)]
        seen = _sight(context, [each for each in loads if each is not None])
        if loads[-1] is None or seen is None:
            return Proposal(reason="the load or the nodes are not known"), state
        remembers: State = [*loads[-(max(LOOK_BACK_STEPS) + 1) :]]
        chosen, _ = self._agent.predict(seen.features(), deterministic=True)
        nodes, batch = (int(each) for each in np.asarray(chosen)[0])
        actions = [*self._nodes(context, nodes), *self._batch(context, batch)]
        return Proposal(tuple(actions), reason="the agent would leave it so"), remembers

    def _nodes(self, context: Context, choice: int) -> list[Action]:
        wanted, bounds = _wanted(context), context.knobs["nodes"].domain
        if wanted is None or not isinstance(bounds, Bounds):
            return []
        chosen = nodes_after(np.array([wanted]), np.array([choice]), bounds.high)[0]
        return _action("nodes", wanted, max(bounds.low, int(chosen)))

    def _batch(self, context: Context, choice: int) -> list[Action]:
        sizes = _sizes(context)
        size = context.settings.get("batch_size")
        if not isinstance(size, int) or size not in sizes:
            return []
        place = sizes.index(size) + BATCH_MOVES[choice]
        return _action("batch_size", size, sizes[min(max(place, 0), len(sizes) - 1)])


def _action(knob: str, before: int, after: int) -> list[Action]:
    """A turn that promises nothing, as nobody can say what an agent expects."""
    if after == before:
        return []
    effect = Effect("miss_rate", "of the blocks", (Expectation(0.0, 1.0, 1.0),))
    return [Action(knob, after, "the agent chose it", effect)]


def _sight(context: Context, loads: list[float]) -> Sight | None:
    """The agent's sight of the plant; None where it would have to be made up."""
    wanted, seen, sizes = _wanted(context), context.observation, _sizes(context)
    busy, missed = fresh(seen.get("nodes.utilisation")), fresh(seen.miss_rate)
    if wanted is None or busy is None or not loads:
        return None
    bounds, latency_ms = context.knobs["nodes"].domain, fresh(seen.latency.p99_ms)
    ready = fresh(seen.get("nodes.ready"))
    ready = wanted if ready is None else ready
    size = context.settings.get("batch_size")
    place = sizes.index(size) / max(1, len(sizes) - 1) if size in sizes else 0.0
    periods = 0.0 if latency_ms is None else latency_ms / context.objective.deadline_ms
    back = [loads[-1], *(loads[max(-len(loads), -1 - steps)] for steps in LOOK_BACK_STEPS)]
    return Sight(
        loads=np.array([back]),
        utilisation=np.array([busy]),
        miss_rate=np.array([missed or 0.0]),
        latency_p99_periods=np.array([periods]),
        ready=np.array([int(ready)]),
        starting=np.array([max(0, wanted - int(ready))]),
        nodes_max=np.array([bounds.high if isinstance(bounds, Bounds) else wanted]),
        batch_place=np.array([place]),
    )


def _wanted(context: Context) -> int | None:
    """Nodes asked for; None where the plant has none to turn."""
    in_force = context.settings.get("nodes")
    if "nodes" not in context.knobs or not isinstance(in_force, int):
        return None
    state = context.states.get("nodes")
    requested = None if state is None else state.requested
    return requested if isinstance(requested, int) else in_force


def _sizes(context: Context) -> list[Any]:
    knob = context.knobs.get("batch_size")
    return list(knob.domain.values) if knob and isinstance(knob.domain, Choice) else []


def _loads(state: State) -> list[float]:
    found = state if isinstance(state, list) else []
    return [float(each) for each in found if isinstance(each, int | float)]


@lru_cache(maxsize=4)
def _agent(file: str) -> Any:
    """The agent, whichever algorithm trained it."""
    library = importlib.import_module("stable_baselines3")
    importlib.import_module("torch").set_num_threads(1)  # more only hinder so small a network
    if not Path(file).is_file():
        raise ValueError(f"there is no file {file}")
    reasons = []
    for name in ALGORITHMS:
        try:
            return getattr(library, name).load(file, device="cpu")
        except Exception as error:  # noqa: BLE001 - each algorithm fails in its own way
            reasons.append(f"{name}: {error}")
    raise ValueError(f"holds no trained agent ({'; '.join(reasons)[:200]})")
