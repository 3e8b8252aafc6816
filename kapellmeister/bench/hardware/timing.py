"""Times of calls: back to back and at the block rate, in rounds in which all take a turn."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from kapellmeister.bench.hardware.figures import Measured
from kapellmeister.bench.spread import Spread

ROUNDS = 5
FEWEST_CALLS = 3
SLEEP_AHEAD_S = 0.0002
"""Seconds before an instant at which sleeping ends and waiting awake begins."""

Turn = Callable[[float], list[float]]
"""Takes about so many seconds; gives a time, or another figure, of each call."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Figures of the calls of one subject, round by round."""

    by_round: tuple[tuple[float, ...], ...]

    @property
    def spread(self) -> Spread:
        """Median and range of the rounds' medians."""
        return Spread.of([float(np.median(each)) for each in self.by_round])

    @property
    def p99(self) -> float:
        """The 99 % quantile of all calls."""
        return float(np.quantile(np.concatenate(self.by_round), 0.99))

    def named(self, name: str) -> Measured:
        """The figure for a row."""
        return Measured(name, self.spread, self.p99)


def in_rounds(turns: Mapping[str, Turn], seconds: float, rounds: int = ROUNDS) -> dict[str, Rounds]:
    """Let each take a turn in every round, so that a disturbance falls on all alike."""
    slice_s = seconds / (rounds * len(turns))
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in turns}
    with _without_garbage_collection():
        for _ in range(rounds):
            for name, turn in turns.items():
                found[name].append(tuple(turn(slice_s)))
    return {name: Rounds(tuple(each)) for name, each in found.items()}


def ratios(one: Rounds, other: Rounds) -> Spread:
    """One subject's medians as multiples of another's, round by round."""
    pairs = zip(one.by_round, other.by_round, strict=True)
    return Spread.of([float(np.median(a) / np.median(b)) for a, b in pairs])


def reductions_percent(ours: Rounds, baseline: Rounds) -> Spread:
    """Percent that ours takes less than a baseline, round by round."""
    pairs = zip(ours.by_round, baseline.by_round, strict=True)
    return Spread.of([100.0 * (1.0 - float(np.median(a) / np.median(b))) for a, b in pairs])


def back_to_back(call: Callable[[], object]) -> Turn:
    """Milliseconds of each call, one straight after the other; the first is not counted."""

    def turn(seconds: float) -> list[float]:
        call()
        times_ms: list[float] = []
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s or len(times_ms) < FEWEST_CALLS:
            times_ms.append(_ms(call))
        return times_ms

    return turn


def at_block_rate(
    call: Callable[[], object], period_s: float, between: Callable[[], object] = lambda: None
) -> Turn:
    """Milliseconds of each call, one a period, with rest between: a GPU lowers its clock then.

    `between` is called after each, and not counted.
    """

    def turn(seconds: float) -> list[float]:
        times_ms: list[float] = []
        instant_s = time.perf_counter()
        for _ in range(max(FEWEST_CALLS, int(seconds / period_s))):
            instant_s = max(instant_s + period_s, time.perf_counter())
            _wait_until(instant_s)
            times_ms.append(_ms(call))
            between()
        return times_ms

    return turn


def _ms(call: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    call()
    return 1000.0 * (time.perf_counter() - begun_s)


def _wait_until(instant_s: float) -> None:
    time.sleep(max(0.0, instant_s - time.perf_counter() - SLEEP_AHEAD_S))
    while time.perf_counter() < instant_s:
        pass


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Collect garbage before, and not meanwhile, as `timeit` does."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
