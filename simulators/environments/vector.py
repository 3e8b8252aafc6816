"""Many plants in lock step, as Gymnasium's vector environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from policies.features import BATCH_MOVES, HIGHS, LOWS, nodes_after
from simulators.environments.fleet import Fleet, joined
from simulators.environments.task import CHOICES, TrainingTask, tables
from simulators.loads.load_path import HOUR_S
from simulators.plant.knobs import BATCH_SIZES

Observations = NDArray[np.float32]
Actions = NDArray[np.int64]
Rewards = NDArray[np.float64]
Flags = NDArray[np.bool_]


class PipelineVectorEnv(VectorEnv[Observations, Actions, Flags]):
    """`num_envs` plants, each on a path and from a place of its own.

    An observation holds `policies.features.FEATURES`; an action chooses one of `NODE_SHARES`
    and one of `BATCH_MOVES`. Episodes end by truncation only, and the next begins in the same
    step; the last observation is then in `final_obs`. `info` carries, for each plant, `misses`
    (blocks), `node_cost` (node hours), `switching_cost` (nodes turned) and the constraint
    `cost` (the miss rate, to be held at the target).
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, num_envs: int = 1, task: TrainingTask | None = None, **_: Any) -> None:
        self.task = task = task or TrainingTask()
        self.num_envs = num_envs
        self.single_observation_space = Box(LOWS, HIGHS, dtype=np.float32)
        self.single_action_space = MultiDiscrete(list(CHOICES))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        paths = task.loads()
        samples, self._spans = joined(paths)
        peaks = [int(samples[begin:end].max()) for begin, end in self._spans]
        self._most = np.array([2 * -(-max(1, peak) // task.node_capacity) + 1 for peak in peaks])
        self._fleet = Fleet(
            count=num_envs,
            loads=samples,
            tables=tables(task.calibration),
            start_steps=task.start_steps,
            periods=1000.0 * task.interval_s / task.calibration.period_ms,
            nodes_max=np.ones(num_envs, np.int64),
        )
        self._left = np.zeros(num_envs, np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin an episode on every plant; the same seed begins, and goes on, the same."""
        super().reset(seed=seed)
        del options
        self._begin(np.ones(self.num_envs, np.bool_))
        return self._fleet.sight().features(), {}

    def step(  # type: ignore[override]  # rewards are numbers, the base class says flags
        self, actions: Actions
    ) -> tuple[Observations, Rewards, Flags, Flags, dict[str, Any]]:
        """Turn the knobs, serve one interval, and say what it brought."""
        fleet, actions = self._fleet, np.asarray(actions, np.int64).reshape(self.num_envs, 2)
        before = fleet.wanted
        nodes = nodes_after(before, actions[:, 0], fleet.nodes_max)
        batch = fleet.batch + np.asarray(BATCH_MOVES)[actions[:, 1]]
        fleet.advance(nodes, np.clip(batch, 0, len(BATCH_SIZES) - 1))
        rewards, info = self._judged(np.abs(nodes - before))
        self._left -= 1
        observations = fleet.sight().features()
        truncated = self._left <= 0
        if truncated.any():
            info["final_obs"] = observations
            info["_final_obs"] = truncated.copy()
            self._begin(truncated)
            observations = np.where(
                truncated[:, None], fleet.sight().features(), observations
            ).astype(np.float32)
        return observations, rewards, np.zeros(self.num_envs, np.bool_), truncated, info

    def _judged(self, turned: NDArray[np.int64]) -> tuple[Rewards, dict[str, Any]]:
        fleet, weights = self._fleet, self.task.reward
        miss_rate = fleet.figures[:, 0].copy()
        needed = np.maximum(1.0, fleet.streams / self.task.node_capacity)
        excess = np.minimum(miss_rate / self.task.target_miss_rate, weights.miss_most)
        rewards = -(
            weights.node * fleet.paid / needed
            + weights.miss * excess
            + weights.switching * turned / needed
        )
        info = {
            "misses": miss_rate * fleet.streams * fleet.periods,
            "node_cost": fleet.paid * self.task.interval_s / HOUR_S,
            "switching_cost": turned.astype(np.float64),
            "cost": miss_rate,
        }
        return rewards, info

    def _begin(self, plants: Flags) -> None:
        """A path and a place on it by chance, with as many nodes as the load there needs."""
        count = int(plants.sum())
        path = self.np_random.integers(0, len(self._spans), count)
        spans = np.array(self._spans)[path]
        steps = np.minimum(self.task.episode_steps, spans[:, 1] - spans[:, 0] - 1)
        last = spans[:, 1] - 1 - steps
        at = spans[:, 0] + np.floor(self.np_random.random(count) * (last - spans[:, 0] + 1)).astype(
            np.int64
        )
        fleet = self._fleet
        places, nodes = np.zeros(self.num_envs, np.int64), np.ones(self.num_envs, np.int64)
        places[plants] = at
        nodes[plants] = np.maximum(1, -(-fleet.loads[at] // self.task.node_capacity))
        fleet.nodes_max[plants] = self._most[path]
        self._left[plants] = steps
        fleet.reset(plants, places, nodes)
