"""A plant as an environment of Gymnasium."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from simulators.environments.task import TrainingTask
from simulators.environments.vector import PipelineVectorEnv


class PipelineEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.int64]]):
    """The vector environment of a single plant: same seed, same actions, same figures."""

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, task: TrainingTask | None = None) -> None:
        self._vector = PipelineVectorEnv(1, task)
        self.task = self._vector.task
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        observations, info = self._vector.reset(seed=seed, options=options)
        return observations[0], info

    def step(
        self, action: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Play a control interval."""
        observations, rewards, _, truncated, info = self._vector.step(np.asarray(action))
        ended = bool(truncated[0])
        seen = info.pop("final_obs", observations)[0]
        info.pop("_final_obs", None)
        info = {name: float(values[0]) for name, values in info.items()}
        return seen, float(rewards[0]), False, ended, info
