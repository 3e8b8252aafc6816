"""The laws of Ray Serve and Dask, held against those systems' own code, tick by tick.

Skipped where a peer is not installed: `pip install '.[peers]'` brings both.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from policies.baselines import dask
from policies.baselines.ray_serve import RayServe, RayTarget
from policies.checks import KNOBS, Pipeline

EPOCH_S = 1_750_000_000.0
"""Clocks start here: so far from 0 that a double resolves no better than 0.24 us."""
RAY_DELAYS_S = [(30.0, 600.0, 40_000), (3.0, 8.0, 5_000), (0.0, 0.5, 2_000), (7.3, 0.0, 2_000)]


def held(draws, values, ticks, mean_ticks):
    """Values drawn at random, each held for a random time: one entry a tick."""
    entries = []
    while len(entries) < ticks:
        entries += [values(draws)] * (1 + int(draws.exponential(mean_ticks)))
    return entries[:ticks]


# Ray Serve


@pytest.fixture
def ray(monkeypatch):
    """Ray Serve's default law as a function of time; `running` is what it says to run now."""
    reason = "ray[serve] is not installed"
    serve = pytest.importorskip("ray.serve.autoscaling_policy", reason=reason)
    config = pytest.importorskip("ray.serve.config", reason=reason)
    metrics = pytest.importorskip("ray.serve._private.metrics_utils", reason=reason)
    clock = SimpleNamespace(now_s=EPOCH_S)
    monkeypatch.setattr(serve, "time", SimpleNamespace(time=lambda: clock.now_s))
    law = serve._apply_autoscaling_config(serve.default_autoscaling_policy)

    def after(time_s, ongoing, target, running, state, settings):
        clock.now_s = time_s
        known = ("current_num_replicas", "target_num_replicas", "total_num_requests")
        context = dict.fromkeys(config.AutoscalingContext.__init__.__annotations__)
        context |= dict(zip(known, (running, target, ongoing), strict=True))
        context |= {"policy_state": state, "config": settings}
        return law(config.AutoscalingContext(**context))

    return SimpleNamespace(
        after=after, Settings=config.AutoscalingConfig, mean=metrics.time_weighted_average
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("upscale_s", "downscale_s", "ticks"), RAY_DELAYS_S)
def test_ray_serve_has_the_target_that_ray_has(ray, upscale_s, downscale_s, ticks, seed):
    draws = np.random.default_rng(seed)
    loads = held(draws, lambda d: int(d.integers(0, 60)) / 2, ticks, ticks / 50)
    settings = ray.Settings(
        min_replicas=0, max_replicas=99, upscale_delay_s=upscale_s, downscale_delay_s=downscale_s
    )
    # Ray's own arithmetic is exact where a power of two runs; what runs otherwise matters not.
    runs = held(draws, lambda d: int(d.choice([0, 1, 2, 4, 8, 16])), ticks, 5.0)
    ours, theirs, state, targets = RayTarget(4), 4, {}, set()
    for tick, (load, running) in enumerate(zip(loads, runs, strict=True)):
        time_s = EPOCH_S + tick / 10.0
        theirs, state = ray.after(time_s, load, theirs, running, state, settings)
        ours = ours.after(time_s, load, 2.0, upscale_s, downscale_s, running)
        assert ours.nodes == theirs, f"at {tick / 10.0} s"
        targets.add(theirs)
    assert len(targets) > 3


def test_ray_serve_starts_from_nothing_and_goes_back_to_it_as_ray_does(ray):
    settings = ray.Settings(min_replicas=0, max_replicas=99)
    ours, theirs, state, turned = RayTarget(0), 0, {}, []
    for tick in range(20_000):
        time_s, load = EPOCH_S + tick / 10.0, 0.0 if tick < 50 or tick > 1000 else 13.0
        before = theirs
        theirs, state = ray.after(time_s, load, before, before, state, settings)
        ours = ours.after(time_s, load)
        assert ours.nodes == theirs, f"at {tick / 10.0} s"
        if theirs != before:
            turned.append((tick / 10.0, theirs))
    assert turned == [(5.0, 1), (35.1, 7), (700.1, 1), (1300.2, 0)]


@pytest.mark.parametrize("seed", range(5))
def test_the_ray_serve_policy_averages_and_decides_as_ray_does(ray, seed):
    draws = np.random.default_rng(seed)
    loads = held(draws, lambda d: float(d.integers(0, 5000)), 1000, 10.0)
    settings = ray.Settings(target_ongoing_requests=70.0, max_replicas=64)
    domain, pipeline = KNOBS["nodes"].domain, Pipeline(RayServe(), now_s=EPOCH_S)
    theirs, state, series = pipeline.settings.nodes, {}, []
    for load in loads:
        series.append(SimpleNamespace(timestamp=pipeline.now_s, value=load))
        pipeline.load = load
        pipeline.step()
        now_s = pipeline.now_s
        mean = ray.mean(series[-10:], now_s - 30.0, now_s)
        wanted, state = ray.after(now_s, mean, theirs, 8, state, settings)
        theirs = max(domain.low, min(domain.high, wanted))
        assert pipeline.settings.nodes == theirs


# Dask


@pytest.fixture
def distributed():
    """The modules of dask.distributed that hold its law."""
    reason = "distributed is not installed"
    core = pytest.importorskip("distributed.deploy.adaptive_core", reason=reason)
    scheduler = pytest.importorskip("distributed.scheduler", reason=reason)
    return SimpleNamespace(AdaptiveCore=core.AdaptiveCore, Scheduler=scheduler.Scheduler)


def counting(core):
    """Dask's core on workers that are numbers, come at once and are gone at once."""

    class Counting(core):
        workers: frozenset = frozenset(range(4))
        wanted = 4
        plan = requested = observed = property(lambda self: set(self.workers))

        async def target(self):
            return self.wanted

        async def scale_up(self, n):
            self.workers = frozenset(range(n))

        async def scale_down(self, workers):
            self.workers -= frozenset(workers)

    return Counting


async def counts(core, wanted):
    """Workers after each tick."""
    after = []
    for core.wanted in wanted:
        await core.adapt()
        after.append(len(core.workers))
    return after


@pytest.mark.parametrize("wait", [1, 2, 3, 5])
@pytest.mark.parametrize("mean_ticks", [0.3, 3.0])
def test_dask_has_the_workers_that_distributed_has(distributed, wait, mean_ticks):
    draws = np.random.default_rng(wait)
    wanted = held(draws, lambda d: int(d.integers(0, 40)), 5000, mean_ticks)
    core = counting(distributed.AdaptiveCore)(minimum=2, maximum=30, wait_count=wait)
    workers, before, ours = 4, (), []
    for each in wanted:
        workers, before = dask.nominated(max(2, min(30, each)), workers, before, wait)
        ours.append(workers)
    assert ours == asyncio.run(counts(core, wanted))
    assert len(set(ours)) > 10


def test_the_dask_policy_has_the_workers_that_distributed_has(distributed):
    draws = np.random.default_rng(1)
    loads = held(draws, lambda d: float(d.integers(0, 6000)), 1000, 1.0)
    pipeline, ours = Pipeline(dask.Dask(streams_per_node=64.0)), []
    for pipeline.load in loads:
        pipeline.step()
        ours.append(pipeline.settings.nodes)
    core = counting(distributed.AdaptiveCore)(minimum=1, maximum=64)
    core.workers = frozenset(range(8))
    assert ours == asyncio.run(counts(core, [-int(-load // 64) for load in loads]))


@pytest.mark.parametrize("seed", range(5))
def test_dask_wants_what_the_scheduler_of_distributed_wants(distributed, seed):
    draws = np.random.default_rng(seed)
    for _ in range(300):
        # Powers of two and quarters: the scheduler's own arithmetic is then exact.
        workers, threads = (int(2 ** draws.integers(0, 5)) for _ in range(2))
        queued, processing = (int(each) for each in draws.integers(0, 100, 2))
        occupancy_s, task_s = (int(each) / 4.0 for each in draws.integers(0, 4000, 2))
        task_s, used = task_s / 100.0, float(draws.choice([0.0, 0.59, 0.6, 0.61, 1.0]))
        worker = SimpleNamespace(
            processing=range(processing), nthreads=threads, memory_limit=100, nbytes=100 * used
        )
        scheduler = SimpleNamespace(
            queued=[SimpleNamespace(prefix=None)] * queued,
            unrunnable={},
            _get_prefix_duration=lambda _, task_s=task_s: task_s,
            total_occupancy=occupancy_s,
            workers=dict.fromkeys(range(workers), worker),
            workers_to_close=list,  # none of them is idle
        )
        theirs = distributed.Scheduler.adaptive_target(scheduler, "5 s")
        ours = dask.target(
            occupancy_s=occupancy_s + queued * task_s,
            memory_share=used,
            workers=workers,
            ready_tasks=queued + workers * processing,
            threads=threads,
        )
        assert max(ours, workers) == theirs
