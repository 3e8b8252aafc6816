"""The compiled kernels against an event simulation on the same draws."""

from __future__ import annotations

import numpy as np
import pytest

from policies.knobs import SchedulingClass
from policies.latency import Calibration, Compute, Link, Post, Residuals, Transfer
from simulators.levels.exact import BatchLevel, BlockLevel
from simulators.levels.level import NodeState, Work
from simulators.levels.simpy_reference import SimPyPipeline, on_binary_grid

PERIODS = 300
BATCH = on_binary_grid(Calibration())
FULL = on_binary_grid(Calibration(transfer=Transfer(), post=Post(), link=Link()))
LATE = Compute(lateness_ms=Residuals((0.0, 0.05, 0.3), (0.1, 2.0)))
STAGES = {
    "compute alone": BATCH,
    "transfer": on_binary_grid(Calibration(transfer=Transfer())),
    "post": on_binary_grid(Calibration(post=Post())),
    "tree": on_binary_grid(Calibration(link=Link("tree"))),
    "all four": FULL,
    "alike": on_binary_grid(Calibration(compute=Compute(correlation=0.6))),
    "late starts": on_binary_grid(Calibration(compute=LATE)),
    "late starts, all at once": on_binary_grid(Calibration(compute=LATE, arrival_jitter_ms=0.0)),
}
WORKS = {
    "half busy": Work(50, 16),
    "nearly full": Work(94, 16),
    "overloaded": Work(130, 16),
    "one at a time": Work(9, 1),
    "one batch": Work(60, 256),
    "contended and slow": Work(60, 32, 1 << 14, SchedulingClass.IDLE, True, 1.5, 4.0, 5),
}


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS.keys())
@pytest.mark.parametrize("calibration", STAGES.values(), ids=STAGES.keys())
def test_the_block_level_is_the_event_simulation_to_the_last_bit(calibration, work):
    reference = SimPyPipeline(calibration, work, PERIODS, seed=7, node=3).run()
    _, outcome = BlockLevel(calibration).advance(NodeState.idle(0, 3), work, PERIODS, seed=7)
    np.testing.assert_array_equal(outcome.histogram, reference.histogram)
    assert outcome.missed == reference.missed
    assert outcome.histogram.sum() == outcome.blocks == work.streams * PERIODS


def test_an_interval_in_two_halves_is_the_whole():
    level, work = BlockLevel(FULL), Work(97, 16)
    _, whole = level.advance(NodeState.idle(0), work, 200, seed=3)
    state, first = level.advance(NodeState.idle(0), work, 77, seed=3)
    _, second = level.advance(state, work, 123, seed=3)
    np.testing.assert_array_equal(first.histogram + second.histogram, whole.histogram)
    assert first.missed + second.missed == whole.missed


def test_another_seed_node_or_period_is_another_course():
    level = BlockLevel(BATCH)

    def course(node=0, period=0, seed=1):
        state = NodeState.idle(period, node)
        return level.advance(state, Work(90, 16), 100, seed)[1].histogram.tolist()

    assert course() == course()
    assert course() != course(seed=2)
    assert course() != course(node=1)
    assert course() != course(period=1000)


def test_an_idle_node_works_its_backlog_off():
    level = BlockLevel(BATCH)
    state, _ = level.advance(NodeState.idle(0), Work(150, 16), 50, seed=1)
    assert state.carry_ms.max() > 0.0
    state, outcome = level.advance(state, Work(0, 16), 10, seed=1)
    assert state.carry_ms.max() == 0.0
    assert (outcome.blocks, outcome.missed, state.period) == (0, 0, 60)


def test_overload_is_bounded_by_the_play_out():
    _, outcome = BlockLevel(BATCH).advance(NodeState.idle(0), Work(300, 16), 500, seed=1)
    assert outcome.missed > 0.5 * outcome.blocks
    assert outcome.utilisation == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("calibration", [BATCH, FULL], ids=["batch server", "all four"])
@pytest.mark.parametrize("streams", [80, 88, 94])
def test_the_batch_level_is_near_the_exact_one(calibration, streams):
    periods, work = 60_000, Work(streams, 16)
    _, exact = BlockLevel(calibration).advance(NodeState.idle(0), work, periods, seed=1)
    _, batch = BatchLevel(calibration).advance(NodeState.idle(0), work, periods, seed=1)
    assert _p99(batch) == pytest.approx(_p99(exact), rel=0.02)
    if exact.missed > 1e-4 * exact.blocks:
        assert batch.missed == pytest.approx(exact.missed, rel=0.15)


def _p99(outcome):
    cumulated = np.cumsum(outcome.histogram)
    return float(1.005 ** np.searchsorted(cumulated, 0.99 * cumulated[-1]))
