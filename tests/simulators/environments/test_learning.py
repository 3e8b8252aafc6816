"""Agents of stable-baselines3 on simulated plants."""

from __future__ import annotations

import pytest

sb3 = pytest.importorskip("stable_baselines3", reason="agents need the extra `rl`")

from stable_baselines3.common.env_checker import check_env  # noqa: E402

from policies.latency import Calibration, Compute, Residuals  # noqa: E402
from simulators.environments.sb3 import PipelineVecEnv  # noqa: E402
from simulators.environments.single import PipelineEnv  # noqa: E402
from simulators.environments.task import TrainingTask  # noqa: E402
from simulators.environments.vector import PipelineVectorEnv  # noqa: E402
from simulators.loads.generators import generate  # noqa: E402
from simulators.simulate import simulate  # noqa: E402
from simulators.simulation import Simulation  # noqa: E402

NODE = Calibration(compute=Compute(per_stream_ms=0.4, residuals=Residuals((0.8, 1.0, 1.2), (1.0,))))
SHORT = TrainingTask(
    (generate("burst", 2.0), generate("steps", 2.0)), episode_steps=40, calibration=NODE
)


def test_stable_baselines3_finds_nothing_wrong():
    check_env(PipelineEnv(SHORT))


def test_an_agent_learns_on_many_plants_and_what_it_saves_is_a_policy(tmp_path):
    plants = PipelineVecEnv(PipelineVectorEnv(16, SHORT))
    agent = sb3.PPO(
        "MlpPolicy", plants, n_steps=16, batch_size=64, n_epochs=1, seed=5, device="cpu"
    )
    agent.learn(512)
    agent.save(tmp_path / "agent.zip")
    name = f"sb3:{tmp_path / 'agent.zip'}"
    simulation = Simulation(name, generate("burst", 0.1), calibration=NODE)
    reports = [simulate(simulation).report for _ in range(2)]
    assert reports[0].decisions > 0
    assert reports[0].blocks == reports[1].blocks
