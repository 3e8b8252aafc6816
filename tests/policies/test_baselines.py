"""The peers' laws, held against figures from the peers' own documents and measurements."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace
from statistics import fmean, quantiles

import numpy as np
import pytest

from policies.baselines import dask, hpa, knative
from policies.baselines.cork import SAMPLES, TICK_MS, BatchLaw, Cork
from policies.baselines.dynamo_like import DynamoLike, LocalTrend, floor_for, line
from policies.baselines.hpa import Hpa
from policies.baselines.knative import Knative
from policies.baselines.ray_serve import RayTarget
from policies.baselines.rolling_quantile import RollingQuantile
from policies.baselines.senpai import MemoryLimit, Senpai
from policies.baselines.static import Static
from policies.baselines.target_tracking import TargetTracking
from policies.baselines.threshold import Threshold
from policies.checks import INTERVAL_S, Pipeline
from policies.observation import Value


def nodes_after(pipeline, *loads, each_s=INTERVAL_S):
    """Nodes asked for while each load lasts so long, one entry a decision."""
    counts = []
    for load in loads:
        pipeline.load = load
        decisions = pipeline.play(max(1, round(each_s / INTERVAL_S)))
        counts += [pipeline.settings.nodes for _ in decisions]
    return counts


# HPA


@pytest.mark.parametrize(
    ("mean", "target", "ready", "unready", "wanted"),
    [
        (0.9, 0.6, 10, 0, 15),  # ratio 1.5
        (0.65, 0.6, 10, 0, 10),  # within the tolerance of 0.1
        (0.3, 0.6, 10, 0, 5),
        (0.3, 0.6, 10, 4, 5),  # shrinking, unready nodes do not matter
        (0.9, 0.6, 10, 5, 15),  # those that start count as idle: ratio 1, so hold
        (1.0, 0.5, 10, 2, 20),
        (0.61, 0.5, 10, 8, 18),  # would turn round: hold
    ],
)
def test_hpa_recommends(mean, target, ready, unready, wanted):
    assert hpa.recommendation(mean, target, ready, unready) == wanted


@pytest.mark.parametrize(
    ("current", "added", "most"), [(1, 0, 5), (3, 0, 7), (10, 0, 20), (20, 10, 20)]
)
def test_hpa_grows_by_four_or_to_twice_what_was_there_before_the_period(current, added, most):
    assert hpa.most_allowed(current, added) == most


def test_hpa_shrinks_to_the_highest_recommendation_of_five_minutes():
    pipeline = Pipeline(Hpa(), load=480.0)  # 8 nodes at 60 %
    counts = nodes_after(pipeline, 480.0, 240.0, each_s=315.0)
    assert set(counts[:21]) == {8}
    assert counts[21:40] == [8] * 19  # the last recommendation of 8 is not 300 s old yet
    assert counts[-1] == 4


@pytest.mark.parametrize(("nodes", "counts"), [(8, [16, 32, 64]), (1, [5, 10, 20]), (3, [7, 14])])
def test_hpa_grows_at_once_but_by_four_or_twofold_in_15_s(nodes, counts):
    pipeline = Pipeline(Hpa(target=0.15), load=6400.0)  # busy nodes call for 6.7 times as many
    pipeline.settings = pipeline.settings.turned("nodes", nodes)
    assert nodes_after(pipeline, 6400.0, each_s=15.0 * len(counts)) == counts


def test_hpa_decides_every_15_s():
    pipeline = Pipeline(Hpa(target=0.15), load=6400.0)
    assert nodes_after(pipeline, 6400.0) == [16]
    pipeline.now_s -= 5.0  # the next decision is 10 s later
    assert nodes_after(pipeline, 6400.0, 6400.0) == [16, 32]


# Ray Serve


def test_ray_serve_waits_30_s_to_grow_and_600_s_to_shrink():
    target, turned = RayTarget(4), []
    for tenth in range(1, 10_000):
        time_s = tenth / 10.0
        load = 8.0 if time_s <= 10.0 else 40.0 if time_s <= 300.0 else 6.0
        after = target.after(time_s, load)
        if after.nodes != target.nodes:
            turned.append((time_s, after.nodes))
        target = after
    assert turned == [(40.1, 20), (900.1, 3)]


def test_ray_serve_starts_its_timer_anew_when_the_verdict_flips():
    target = RayTarget(4).after(0.0, 40.0).after(20.0, 8.0).after(25.0, 40.0)
    assert target.after(54.0, 40.0).nodes == 4
    assert target.after(55.0, 40.0).nodes == 20


def test_ray_serve_leaves_nothing_at_once_with_one_and_comes_to_nothing_only_from_one():
    assert RayTarget(0).after(0.0, 3.0) == RayTarget(1)  # whatever the load: nobody measures it
    assert RayTarget(0).after(0.0, 0.0) == RayTarget(0)
    assert RayTarget(5, down_since_s=0.0).after(600.0, 0.0).nodes == 1
    assert RayTarget(1, down_since_s=0.0).after(600.0, 0.0).nodes == 0


def test_ray_serve_holds_its_target_and_timers_while_none_of_its_nodes_runs():
    waiting = RayTarget(4, up_since_s=10.0)
    assert waiting.after(50.0, 40.0, running=0) == waiting
    assert waiting.after(50.0, 40.0, running=1) == RayTarget(20)


def test_ray_serve_uses_the_count_wanted_when_the_delay_is_over():
    target = RayTarget(4).after(0.0, 40.0).after(29.9, 80.0)
    assert target == RayTarget(4, up_since_s=0.0)
    assert target.after(30.0, 12.0) == RayTarget(6)


def test_ray_serve_keeps_its_delays_at_times_that_a_double_rounds():
    since_s = 1_750_000_007.9
    assert 1_750_000_015.2 - since_s < 7.3
    assert RayTarget(1, up_since_s=since_s).after(1_750_000_015.2, 18.0, 2.0, 7.3).nodes == 9


# Dask


@pytest.mark.parametrize(
    ("arguments", "workers"),
    [
        ({"occupancy_s": 100.0}, 20),
        ({"occupancy_s": 101.0}, 21),
        ({"occupancy_s": 100.0, "ready_tasks": 7}, 7),
        ({"occupancy_s": 100.0, "threads": 4}, 5),
        ({"occupancy_s": 1.0, "memory_share": 0.61, "workers": 6}, 12),
        ({"occupancy_s": 1.0, "memory_share": 0.6, "workers": 6}, 1),
    ],
)
def test_dask_finishes_the_work_at_hand_in_its_target_duration(arguments, workers):
    assert dask.target(**arguments) == workers


def test_dask_grows_at_once_and_shrinks_at_the_third_tick_in_a_row():
    assert dask.nominated(9, 4, [2, 2]) == (9, ())
    assert dask.nominated(4, 4, [2, 2]) == (4, ())
    assert dask.nominated(2, 4) == (4, (2,))
    assert dask.nominated(2, 4, [2]) == (4, (2, 2))
    assert dask.nominated(2, 4, [2, 2]) == (2, (2, 2, 2))


def test_dask_lets_go_only_those_workers_that_were_too_many_at_all_three_ticks():
    assert dask.nominated(5, 10, [8, 5]) == (8, (8, 5, 5))
    assert dask.nominated(5, 8, [8, 5, 5]) == (5, (5, 5, 5))


# Knative


@pytest.mark.parametrize(
    ("mean", "ready", "wanted"),
    [(700.0, 5, 10), (10.0, 8, 4), (0.0, 1, 0), (1e9, 1, 1000), (701.0, 5, 11)],
)
def test_knative_wants_a_share_of_its_target_on_each_node(mean, ready, wanted):
    assert knative.desired(mean, 70.0, ready) == wanted


def test_knative_panics_when_twice_as_many_are_needed_and_then_shrinks_nothing_for_a_minute():
    pipeline = Pipeline(Knative(), load=500.0)
    assert set(nodes_after(pipeline, 500.0, each_s=120.0)) == {8}
    counts = nodes_after(pipeline, 1400.0, 100.0, 100.0, 100.0, 100.0, 100.0)
    assert counts[0] == 20  # panic: at once, though the stable window has not seen it yet
    assert counts[1:4] == [20, 20, 20]
    assert counts[-1] < 20


@pytest.mark.parametrize(("load", "nodes"), [(1051.0, 16), (1050.0, 10)])
def test_knative_panics_from_twice_the_ready_nodes_on(load, nodes):
    pipeline = Pipeline(Knative(), load=500.0)  # 8 nodes; 15 have 70 each of 1050
    assert nodes_after(pipeline, 500.0, load, each_s=30.0)[2] == nodes


# Dynamo-like


def test_the_local_trend_is_the_kalman_filter_of_its_matrices():
    transition, noise = np.array([[1.0, 1.0], [0.0, 1.0]]), np.diag([1.0, 0.1])
    seen, state, covariance = np.array([[1.0, 0.0]]), np.zeros(2), 1000.0 * np.eye(2)
    ours = LocalTrend()
    for measured in (10.0, 12.0, 15.0, 11.0, 30.0):
        state = transition @ state
        covariance = transition @ covariance @ transition.T + noise
        gain = covariance @ seen.T / (seen @ covariance @ seen.T + 10.0)
        state = state + (gain * (measured - seen @ state)).ravel()
        covariance = (np.eye(2) - gain @ seen) @ covariance
        ours = ours.after(measured)
    np.testing.assert_allclose((ours.value, ours.trend), state, rtol=1e-9)
    np.testing.assert_allclose(ours.ahead, state.sum(), rtol=1e-9)


def test_a_line_needs_five_points_at_more_than_one_place():
    points = [(x, 2.0 + 3.0 * x) for x in range(5)]
    assert line(points) == pytest.approx((2.0, 3.0))
    assert line(points[:4]) is None
    assert line([(1.0, y) for y in range(9)]) is None


def test_the_dynamo_like_floor_moves_by_eight_at_most_every_180_s():
    pipeline, floors = Pipeline(DynamoLike(), load=500.0), []
    assert nodes_after(pipeline, 500.0, each_s=3600.0)[-1] == 6  # 500 / 85
    for load in (6000.0, 6000.0, 10.0, 10.0, 10.0, 10.0):
        nodes_after(pipeline, load, each_s=180.0)
        floors.append(pipeline.state["floor"])
    assert floors == [14, 22, 30, 22, 14, 6]  # the trend goes on for one step


@pytest.mark.parametrize(("slack", "nodes"), [(0.8, 5), (0.5, 6)])
def test_dynamo_like_lets_a_node_go_where_the_rest_would_keep_enough_slack(slack, nodes):
    pipeline = Pipeline(DynamoLike(streams_per_node=1000.0, slack=slack))
    nodes_after(pipeline, 490.0, 500.0, 490.0, 500.0)
    assert pipeline.settings.nodes == 8  # a line needs five samples
    # From 6 nodes to 5: 4.178 ms of 5.333 rise by 0.622, which is 54 % of what is left.
    assert nodes_after(pipeline, 500.0, each_s=150.0)[-1] == nodes


def test_dynamo_like_adds_one_at_a_time_and_none_while_one_is_on_its_way():
    pipeline = Pipeline(DynamoLike(streams_per_node=1000.0), load=1200.0)
    assert nodes_after(pipeline, 1200.0, 1200.0) == [9, 10]
    pipeline.step(lambda seen: replace(seen, readings={**seen.readings, "nodes.ready": Value(9.0)}))
    assert pipeline.settings.nodes == 10


def test_dynamo_like_keeps_four_samples_of_each_sixteenth_of_the_load():
    pipeline = Pipeline(DynamoLike(streams_per_node=80.0))
    loads = [float(8 * 12 + k) for k in range(9)]  # 12 to 13 streams on each of 8 nodes
    nodes_after(pipeline, *loads, 8 * 45.0)
    samples = pipeline.state["samples"]
    assert [share for share, _ in samples["2"]] == [load / 8 for load in loads[-4:]]
    assert [share for share, _ in samples["9"]] == [45.0]


@pytest.mark.parametrize(
    ("streams", "idle_ms", "nodes"), [(850.0, 1.0, 10), (0.0, 1.0, 1), (85.0, 12.0, 3)]
)
def test_the_dynamo_like_floor_counts_a_node_that_misses_even_when_idle(streams, idle_ms, nodes):
    assert floor_for(streams, 85.0, idle_ms, 5.0) == nodes


# CORK


def dispatched(deadline_ms=50.0, per_item_ms=0.5, fixed_ms=4.0, requests=3000):
    """A dispatcher that CORK's law decides for, warmed up, ticking each millisecond.

    Returns the latencies and the batch sizes of requests that come at 1000 a second.
    """
    samples = [(n, fixed_ms + per_item_ms * n) for n in (*[1] * 8, 1, 2, 3)]
    law = BatchLaw.initial(deadline_ms).fitted(samples)
    draws, time_ms, incoming = random.Random(1), 0.0, deque()
    for _ in range(requests):
        time_ms += draws.expovariate(1.0)
        incoming.append(time_ms)
    queue, latencies, batches = deque(), [], []
    waits, free_ms, now_ms = deque(maxlen=SAMPLES), 0.0, 0.0
    while incoming or queue:
        now_ms += TICK_MS
        while incoming and incoming[0] <= now_ms:
            queue.append(incoming.popleft())
        if not queue:
            continue
        oldest_ms, newest_ms = now_ms - queue[0], now_ms - queue[-1]
        if law.drops(len(queue), oldest_ms, deadline_ms, busy=now_ms < free_ms):
            queue.popleft()
            continue
        mean_ms = fmean(waits) if waits else 0.0
        if now_ms < free_ms or law.waits(len(queue), newest_ms, mean_ms):
            continue
        waits.append(oldest_ms)
        size, took_ms = len(queue), law.latency_ms(len(queue))
        free_ms = now_ms + took_ms
        latencies += [free_ms - queue.popleft() for _ in range(size)]
        batches.append(size)
        samples = [*samples, (size, took_ms)][-SAMPLES:]
        law = law.fitted(samples)
    return latencies, batches


def test_cork_batches_as_it_was_measured_to():
    latencies, batches = dispatched()
    percentiles = quantiles(latencies, n=100)
    assert len(latencies) == 3000  # nothing was dropped
    assert percentiles[49] == pytest.approx(14.4, rel=0.15)
    assert percentiles[98] == pytest.approx(20.1, rel=0.15)
    assert fmean(batches) == pytest.approx(9.1, rel=0.15)


def test_cork_begins_with_a_guess_and_fits_by_least_squares():
    assert BatchLaw.initial(50.0) == BatchLaw(2.0, 1.0)
    assert BatchLaw.initial(15.0) == BatchLaw(1.0, 0.5)
    fitted = BatchLaw.initial(50.0).fitted([(n, 4.0 + 0.5 * n) for n in (1, 2, 3)])
    assert (fitted.per_item_ms, fitted.fixed_ms) == pytest.approx((0.5, 4.0))
    assert BatchLaw(2.0, 1.0).fitted([(4, 9.0), (4, 11.0)]) == BatchLaw(2.0, 1.0)
    assert BatchLaw(2.0, 1.0).fitted([(1, 9.0), (2, 5.0)]).per_item_ms == 1e-6


def test_cork_drops_the_oldest_that_would_be_late_and_a_single_one_only_while_busy():
    law = BatchLaw(0.5, 4.0)
    assert law.drops(2, 45.0, 50.0)  # 45 + 2 * 0.5 + 4
    assert not law.drops(2, 44.9, 50.0)
    assert law.drops(1, 50.0, 50.0, busy=True)
    assert not law.drops(1, 49.9, 50.0, busy=True)
    assert not law.drops(1, 60.0, 50.0)


def test_cork_waits_while_that_costs_less_than_the_oldest_waits_on_average():
    law = BatchLaw(0.5, 4.0)
    assert law.waits(4, 0.875, 10.0)  # 4 (0.875 + 1 + 0.5) = 0.95 * 10
    assert not law.waits(5, 0.875, 10.0)
    assert not law.waits(1, 0.0, 1.0)


def test_cork_takes_the_largest_batch_that_keeps_the_deadline():
    pipeline = Pipeline(Cork())
    sizes = [pipeline.settings.get("batch_size") for _ in pipeline.play(3)]
    assert sizes[0] == 8  # guessed 0.356 n + 0.178 ms within 95 % of 5.333
    assert sizes[1:] == [64, 64]  # two sizes were seen, and both took as long
    assert len(pipeline.state["samples"]) == 3
    for _ in pipeline.play(60):
        pass
    assert len(pipeline.state["samples"]) == 50


# Senpai


def test_senpai_relaxes_by_the_square_of_the_stall_and_tightens_by_one_per_cent():
    assert MemoryLimit(1000.0).after(20_000.0) == MemoryLimit(1010.0, 0.0, 5)  # (2 / 20)^2
    assert MemoryLimit(1000.0).after(1e9) == MemoryLimit(2000.0, 0.0, 5)
    assert MemoryLimit(1000.0).after(0.0) == MemoryLimit(990.0, 0.0, 5)
    assert MemoryLimit(1000.0).after(10_000.0).limit == pytest.approx(999.9)  # 1 % of (1 / 10)^2
    resting = MemoryLimit(1000.0, 0.0, 5)
    assert resting.after(3000.0) == MemoryLimit(1000.0, 3000.0, 4)
    assert resting.after(20_000.0).limit == 1010.0  # stall ends the grace


def test_senpai_starts_over_where_another_hand_moved_the_limit():
    pipeline = Pipeline(Senpai())
    for _ in pipeline.play(30):
        pass
    pipeline.settings = pipeline.settings.turned("vram_block_bytes", 1 << 19)
    pipeline.step()
    assert pipeline.state["limit"] == pytest.approx(0.99 * (1 << 19))


# The others


def test_target_tracking_keeps_the_highest_of_its_window():
    pipeline = Pipeline(TargetTracking(target=0.5, window_s=600.0), load=400.0)
    counts = nodes_after(pipeline, 400.0, 100.0, each_s=600.0)
    assert counts[39] == 8
    assert counts[78] == 8
    assert nodes_after(pipeline, 100.0, each_s=60.0)[-1] == 2


def test_step_scaling_grows_by_a_quarter_and_shrinks_by_one_after_five_minutes():
    pipeline = Pipeline(Threshold(), load=700.0)  # 8 nodes are 88 % busy
    assert nodes_after(pipeline, 700.0) == [10]
    counts = nodes_after(pipeline, 200.0, each_s=645.0)
    assert counts[19:21] == [10, 9]
    assert counts[-1] == 8


def test_the_rolling_quantile_leaves_room_for_the_rises_it_has_seen():
    wavy, calm = (Pipeline(RollingQuantile(quantile=0.99)) for _ in range(2))
    for step in range(2000):
        wavy.load = 500.0 + 200.0 * (step // 10 % 2)
        wavy.step()
        calm.load = 700.0
        calm.step()
    wavy.load = 500.0
    counts = nodes_after(wavy, 500.0, each_s=600.0)
    assert calm.settings.nodes == 9  # 700 / 85
    # 500 may become 700 within the lead; 980 streams, planned for at 700, are held for 300 s.
    assert counts == [12] * 19 + [9] * 21


def test_static_turns_nothing():
    pipeline = Pipeline(Static(), load=5000.0)
    assert not any(proposal.actions for proposal in pipeline.play(50))
