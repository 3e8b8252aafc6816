"""Reviews by the guard: what they depend on, and its answers to actions."""

from __future__ import annotations

import numpy as np
from fakes import KNOBS, OBJECTIVE

from controller.guard.review_context import ReviewContext
from policies.forecast import Forecast
from policies.knobs import (
    Settings,
    ThreadClasses,
)
from policies.observation import NO_QUANTILES, BlockCounts, Observation, Quantiles, Value
from policies.proposal import Proposal

SETTINGS = Settings.of({"thread_classes": ThreadClasses(), "batch_size": 32, "nodes": 2})


def observation(time_s, load=Value(10.0), blocks=BlockCounts(10_000), p99_ms=None):  # noqa: B008 - frozen
    latency = NO_QUANTILES if p99_ms is None else Quantiles(*(Value(p99_ms),) * 4)
    return Observation(time_s, 1.0, load, blocks=blocks, latency=latency)


def review_context(
    time_s=0.0, settings=SETTINGS, seen=None, forecast=None, **options
) -> ReviewContext:
    seen = seen or observation(time_s)
    knobs = options.pop("knobs", KNOBS)
    return ReviewContext(time_s, OBJECTIVE, seen, forecast, knobs, settings, **options)


def review(guard, *actions, **options):
    return guard.review(Proposal(tuple(actions)), review_context(**options))


def reason(guard, *actions, **options):
    changes, holds = review(guard, *actions, **options)
    assert changes == ()
    return holds[0].reason


def load_forecast(load):
    return Forecast(np.full((5, 3), load), 1.0, 0.0, "fixed")
