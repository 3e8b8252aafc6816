"""Simulated plants as environments to learn in."""

from __future__ import annotations

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import simulators.environments  # noqa: F401 - registers them
from policies.features import BATCH_MOVES, FEATURES, NODE_SHARES, nodes_after
from policies.knobs import Settings
from policies.latency import Calibration, Compute, Residuals
from simulators.environments import ID
from simulators.environments.single import PipelineEnv
from simulators.environments.task import Reward, TrainingTask
from simulators.environments.vector import PipelineVectorEnv
from simulators.loads.generators import generate
from simulators.plant.knobs import BATCH_SIZES
from simulators.run import make_plant
from simulators.simulation import Simulation

NODE = Calibration(compute=Compute(per_stream_ms=0.4, residuals=Residuals((0.8, 1.0, 1.2), (1.0,))))
SHORT = TrainingTask(
    (generate("burst", 2.0), generate("steps", 2.0)), episode_steps=40, calibration=NODE
)
KEEP = (NODE_SHARES.index(0.0), BATCH_MOVES.index(0))


def played(environment, actions, seed=1):
    observations = [environment.reset(seed=seed)[0]]
    rewards = []
    for action in actions:
        seen, reward, *_ = environment.step(action)
        observations.append(seen)
        rewards.append(reward)
    return np.array(observations), np.array(rewards)


@pytest.fixture(scope="module")
def actions():
    generator = np.random.default_rng(0)
    return [generator.integers(0, (len(NODE_SHARES), len(BATCH_MOVES)), (8, 2)) for _ in range(100)]


def test_gymnasium_finds_nothing_wrong():
    check_env(gymnasium.make(ID, task=SHORT).unwrapped, skip_render_check=True)


def test_the_registered_vector_environment_is_the_native_one():
    plants = gymnasium.make_vec(ID, num_envs=3, task=SHORT)
    assert isinstance(plants.unwrapped, PipelineVectorEnv)
    assert plants.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert plants.single_observation_space.shape == (len(FEATURES),)


def test_the_same_seed_is_the_same_trajectory(actions):
    one, same, other = (played(PipelineVectorEnv(8, SHORT), actions, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], same[0])
    np.testing.assert_array_equal(one[1], same[1])
    assert (one[0] != other[0]).any()


def test_a_plant_alone_is_a_plant_of_many(actions):
    alone = played(PipelineEnv(SHORT), [each[0] for each in actions[:39]])
    among = played(PipelineVectorEnv(1, SHORT), [each[:1] for each in actions[:39]])
    np.testing.assert_array_equal(alone[0], among[0][:, 0])
    np.testing.assert_array_equal(alone[1], among[1][:, 0])


def test_what_is_seen_stays_within_its_bounds(actions):
    plants = PipelineVectorEnv(8, SHORT)
    observations, rewards = played(plants, actions)
    assert all(each in plants.observation_space for each in observations)
    assert np.isfinite(rewards).all()
    assert (rewards < 0.0).all()


def test_an_episode_is_cut_off_and_the_next_begins_in_the_same_step():
    plants = PipelineVectorEnv(2, SHORT)
    plants.reset(seed=1)
    for step in range(40):
        seen, _, terminated, truncated, info = plants.step(np.array([KEEP, KEEP]))
        assert not terminated.any()
        assert truncated.all() == (step == 39)
    assert (info["final_obs"] != seen).any()
    assert info["_final_obs"].all()


def test_info_tells_misses_and_each_cost_apart():
    plants = PipelineVectorEnv(2, SHORT)
    plants.reset(seed=1)
    more = (NODE_SHARES.index(1.0), KEEP[1])
    _, _, _, _, info = plants.step(np.array([KEEP, more]))
    assert info["switching_cost"][0] == 0.0 < info["switching_cost"][1]
    assert set(info) == {"misses", "node_cost", "switching_cost", "cost"}
    assert ((info["cost"] >= 0.0) & (info["cost"] <= 1.0)).all()


def test_the_reward_is_what_it_says(actions):
    weights = Reward(node=2.0, miss=0.0, switching=0.0)
    task = replace(SHORT, reward=weights, node_start_s=0.0)
    plants = PipelineVectorEnv(8, task)
    plants.reset(seed=3)
    _, rewards, _, _, info = plants.step(actions[0])
    hours = 15.0 / 3600.0
    needed = np.maximum(1.0, plants._fleet.streams / task.node_capacity)
    np.testing.assert_allclose(rewards, -2.0 * info["node_cost"] / hours / needed)


@pytest.mark.parametrize(
    ("wanted", "share", "after"),
    [(1, -0.25, 1), (8, -0.25, 6), (8, 0.1, 9), (8, 1.0, 16), (60, 1.0, 64)],
)
def test_a_choice_turns_the_nodes_by_its_share(wanted, share, after):
    choice = np.array([NODE_SHARES.index(share)])
    assert nodes_after(np.array([wanted]), choice, 64)[0] == after


def test_it_is_the_plant_that_policies_are_simulated_on():
    """Equal load and equal turns on the simulated plant come to equal figures."""
    trace = generate("burst", 1.0)
    task = TrainingTask((trace,), part=None, paths=1, episode_steps=300, calibration=NODE)
    plants = PipelineVectorEnv(1, task)
    plants.reset(seed=5)
    fleet = plants._fleet
    begun, nodes = int(fleet.at[0]), int(fleet.ready[0])
    simulation = Simulation("static", trace, peak_streams=1000, calibration=NODE)
    load = task.loads()[0].from_step(begun)
    np.testing.assert_array_equal(load.streams, fleet.loads[begun:])
    plant = make_plant(simulation, load)
    plant.observe()
    assert plant.last.ready == nodes
    fleet.nodes_max[:] = plant.knobs()["nodes"].domain.high
    generator = np.random.default_rng(1)
    for _ in range(300):
        action = generator.integers(0, (len(NODE_SHARES), len(BATCH_MOVES)))
        wanted = nodes_after(fleet.wanted, action[:1], fleet.nodes_max)[0]
        size = np.clip(fleet.batch[0] + BATCH_MOVES[action[1]], 0, 5)
        _, _, _, _, info = plants.step(action[None])
        if "final_obs" in info:
            break
        plant.apply("nodes", int(wanted))
        plant.apply("batch_size", BATCH_SIZES[size])
        plant.observe()
        truth = plant.last
        assert (truth.streams, truth.ready) == (fleet.streams[0], fleet.ready[0])
        assert truth.paid == fleet.paid[0]
        assert truth.counts.missed == pytest.approx(info["misses"][0], rel=0.12, abs=2.0)
    assert isinstance(plant.in_force(), Settings)
