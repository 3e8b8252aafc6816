"""Speed at which an agent can be trained on simulated plants."""

from __future__ import annotations

import importlib.util

import numpy as np

from kapellmeister.bench.simulator.figures import LearningFigures
from kapellmeister.bench.simulator.stopwatch import timed
from kapellmeister.bench.spread import Spread

PLANTS, PLANT_STEPS, PPO_STEPS, PPO_PLANTS = 1024, 400, 50_000, 256


def learning(rounds: int) -> LearningFigures:
    """Step many plants with random actions, and train PPO where stable-baselines3 is there."""
    from simulators.environments.task import CHOICES
    from simulators.environments.vector import PipelineVectorEnv

    plants = PipelineVectorEnv(PLANTS)
    plants.reset(seed=1)
    generator = np.random.default_rng(1)
    actions = generator.integers(0, CHOICES, (PLANT_STEPS, PLANTS, len(CHOICES)))

    def play_all() -> None:
        for each in actions:
            plants.step(each)

    play_all()
    rates = [PLANTS * PLANT_STEPS / timed(play_all) for _ in range(rounds)]
    return LearningFigures(
        plants=PLANTS, steps_per_s=Spread.of(rates), ppo_steps=PPO_STEPS, ppo_s=_ppo_s()
    )


def _ppo_s() -> float | None:
    if importlib.util.find_spec("stable_baselines3") is None:
        return None
    from simulators.environments.sb3 import untrained

    untrained(PPO_PLANTS, seed=1).learn(PPO_PLANTS * 16)
    agent = untrained(PPO_PLANTS, seed=1)
    return timed(lambda: agent.learn(PPO_STEPS))
