"""Noise by name: a draw depends on what it is for, never on how many came before it."""

from __future__ import annotations

import numpy as np
from numba import njit

CONTENTION, TELEMETRY, NODE_START = -1, -2, -3
"""Items of the draws that belong to no block: no two kinds of noise share their draws."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_BITS = np.uint64(11)


@njit(cache=True, inline="always")
def _mixed(value):  # type: ignore[no-untyped-def]
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    value = value + _GOLDEN
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))


@njit(cache=True, inline="always")
def origin(seed, node, period):  # type: ignore[no-untyped-def]
    """The state that all draws of one period of one node begin from."""
    state = _mixed(np.uint64(seed))
    state = _mixed(state ^ np.uint64(node))
    return _mixed(state ^ np.uint64(period))


@njit(cache=True, inline="always")
def draw_from(origin, item):  # type: ignore[no-untyped-def]
    """A number from [0, 1) that belongs to this item of a period."""
    return (_mixed(origin ^ np.uint64(item)) >> _BITS) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def uniform(seed, node, period, item):  # type: ignore[no-untyped-def]
    """A number from [0, 1) that belongs to these four whole numbers."""
    return draw_from(origin(seed, node, period), item)
