"""The confidence interval of a mean over traces, by a bootstrap."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulators.loads.splits import family

RESAMPLES = 2000
"""Means that are drawn for an interval."""
CONFIDENCE = 0.95
"""Share of the resampled means that lie within the interval."""


def confidence_interval(
    values: Mapping[str, float], weights: Mapping[str, float] | None = None
) -> tuple[float, float] | None:
    """The 95 % interval of the mean over traces: a bootstrap of families, then of their traces.

    None of fewer than two traces, of which nothing can be said (Efron and Tibshirani, 1993).
    """
    if len(values) < 2:
        return None
    families: dict[str, list[int]] = {}
    for number, name in enumerate(values):
        families.setdefault(family(name), []).append(number)
    groups = [np.array(each) for each in families.values()]
    figures = np.array(list(values.values()))
    weight = np.array([1.0 if weights is None else weights[name] for name in values])
    generator = np.random.default_rng(0)
    means = np.empty(RESAMPLES)
    for sample in range(RESAMPLES):
        chosen = generator.integers(0, len(groups), len(groups))
        drawn = np.concatenate(
            [groups[k][generator.integers(0, groups[k].size, groups[k].size)] for k in chosen]
        )
        means[sample] = np.average(figures[drawn], weights=weight[drawn])
    low, high = np.quantile(means, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(low), float(high)
