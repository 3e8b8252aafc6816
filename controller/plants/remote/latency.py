"""Quantiles of the latency between two scrapes of a histogram, or as a summary states them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

from controller.config.remote import LatencySection
from controller.config.selector import Labels, Selector
from controller.plants.remote.figures import grown, nothing_matches
from controller.plants.remote.scraper import Scrape
from policies.observation import (
    NO_QUANTILES,
    BlockCounts,
    Invalid,
    Missing,
    Quantiles,
    Reading,
    Value,
    reading,
)

QUANTILES = (0.5, 0.95, 0.99, 1.0)
Buckets = list[tuple[float, float]]
"""Upper bounds, ascending to infinity, each with how many were at most that."""


def quantiles(section: LatencySection, before: Scrape, now: Scrape) -> Quantiles:
    """p50, p95, p99 and the greatest, in milliseconds."""
    if not section.metric:
        return NO_QUANTILES
    selector = Selector.of(section.metric)
    if not selector.among(now.samples, "_bucket"):
        return _of_summary(section, selector.among(now.samples))
    buckets = _buckets(section, before, now)
    if not isinstance(buckets, list):
        return Quantiles(*(buckets,) * 4)
    return Quantiles(*(_of_histogram(buckets, each, section.scale) for each in QUANTILES))


def counted(
    section: LatencySection, deadline_ms: float, before: Scrape, now: Scrape
) -> BlockCounts | Reading:
    """Blocks on time and late, as a histogram tells; between two bounds they count as late."""
    buckets = _buckets(section, before, now)
    if not isinstance(buckets, list):
        return buckets
    deadline = deadline_ms / section.scale * (1.0 + 1e-9)
    on_time = max((count for bound, count in buckets if bound <= deadline), default=0.0)
    return BlockCounts(on_time=round(on_time), late=round(buckets[-1][1] - on_time))


def _buckets(section: LatencySection, before: Scrape, now: Scrape) -> Buckets | Reading:
    """Counts between two scrapes, cumulative over the bounds."""
    selector = Selector.of(section.metric)
    earlier, later = (_by_bound(selector.among(s.samples, "_bucket")) for s in (before, now))
    if not later:
        return nothing_matches(section.metric)
    buckets = []
    for bound in sorted(later):
        counts = grown(earlier.get(bound, {}), later[bound], section.metric)
        if not isinstance(counts, Value):
            return counts
        buckets.append((bound, counts.value))
    if buckets[-1][0] != math.inf or any(a[1] > b[1] for a, b in pairwise(buckets)):
        return Invalid(f"the buckets of {section.metric} do not add up")
    return buckets


def _by_bound(samples: Mapping[Labels, float]) -> Mapping[float, Mapping[Labels, float]]:
    found: dict[float, dict[Labels, float]] = {}
    for labels, value in samples.items():
        found.setdefault(_number(labels, "le"), {})[labels] = value
    return {bound: each for bound, each in found.items() if not math.isnan(bound)}


def _number(labels: Labels, name: str) -> float:
    """The label as a number; NaN where there is none."""
    try:
        return float(dict(labels)[name])
    except (KeyError, ValueError):
        return math.nan


def _of_histogram(buckets: Buckets, quantile: float, scale: float) -> Reading:
    """Interpolated within its bucket, as `histogram_quantile` does; a bound for the greatest."""
    rank = quantile * buckets[-1][1]
    if rank <= 0.0:
        return Missing("nothing was measured")
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank * (1.0 - 1e-12):
            break
        low, below = bound, count
    if bound == math.inf:
        return Missing(f"above {low * scale:g} ms, the greatest bound of the histogram")
    part = (rank - below) / (count - below)
    return Value(scale * (low + part * (bound - low)))


def _of_summary(section: LatencySection, samples: Mapping[Labels, float]) -> Quantiles:
    """The worst of what several series state."""
    stated: dict[float, list[float]] = {}
    for labels, value in samples.items():
        stated.setdefault(_number(labels, "quantile"), []).append(value)
    if not stated:
        return Quantiles(*(nothing_matches(section.metric),) * 4)
    return Quantiles(*(_worst(stated.get(each, []), each, section) for each in QUANTILES))


def _worst(values: list[float], quantile: float, section: LatencySection) -> Reading:
    if not values:
        return Missing(f"{section.metric} has no quantile {quantile:g}")
    worst = math.nan if any(map(math.isnan, values)) else max(values)
    return reading(section.scale * worst, minimum=0.0)
