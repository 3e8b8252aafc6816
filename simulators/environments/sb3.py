"""The vector environment as stable-baselines3 wants it, which takes none of Gymnasium's."""

# ruff: noqa: ARG002 - the interface has arguments that plants in lock step cannot use

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from simulators.environments.task import TrainingTask
from simulators.environments.vector import PipelineVectorEnv


class PipelineVecEnv(VecEnv):
    """An adapter: nothing but other names for the same plants."""

    def __init__(self, plants: PipelineVectorEnv) -> None:
        spaces = plants.single_observation_space, plants.single_action_space
        self._plants = plants
        self._actions: Any = None
        super().__init__(plants.num_envs, *spaces)

    def reset(self) -> Any:
        """Begin anew; a seed set with `seed` is used once."""
        seed = self._seeds[0]
        self._reset_seeds()
        observations, _ = self._plants.reset(seed=seed)
        return observations

    def step_async(self, actions: Any) -> None:
        """Keep the actions of every plant."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Serve one interval under the actions that were kept."""
        observations, rewards, _, truncated, info = self._plants.step(self._actions)
        figures = {name: info[name] for name in ("misses", "node_cost", "switching_cost", "cost")}
        infos: list[dict[str, Any]] = [
            dict(zip(figures, each, strict=True)) for each in zip(*figures.values(), strict=True)
        ]
        for plant in np.flatnonzero(truncated):
            infos[plant]["terminal_observation"] = info["final_obs"][plant]
            infos[plant]["TimeLimit.truncated"] = True
        return observations, rewards.astype(np.float32), truncated, infos

    def close(self) -> None:
        """Do nothing: no resource is held."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute of the plants, once for each."""
        return [getattr(self._plants, attr_name, None) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: nothing of one plant alone can be set."""
        raise AttributeError(f"{attr_name} cannot be set on {self.num_envs} plants in lock step")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """Refuse: nothing of one plant alone can be called."""
        raise AttributeError(f"{method_name} cannot be called on plants in lock step")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """False for every plant: none is wrapped."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[Any]:
        """No images: there is nothing to see."""
        return []


def untrained(plants: int, seed: int, task: TrainingTask | None = None) -> PPO:
    """An agent that has learned nothing yet, on so many plants, with settings that suit them."""
    return PPO(
        "MlpPolicy",
        PipelineVecEnv(PipelineVectorEnv(plants, task)),
        n_steps=16,
        batch_size=512,
        gamma=0.98,
        seed=seed,
        device="cpu",
    )
