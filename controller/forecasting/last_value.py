"""The forecast that every better one is held against: the load stays what it is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from controller.forecasting.forecaster import FitTask
from controller.plain_json import from_plain, to_plain
from policies.forecast import Forecast
from policies.observation import Reading, fresh
from policies.policy import State

SAMPLES = 200
KEPT_INCREMENTS = 256
CALIBRATED_FROM = 30
"""Increments from which its spread is about right."""


@dataclass(slots=True)
class _Memory:  # its name in the journals that exist
    """The last value, and past increments as (change of load, seconds it took)."""

    value: float | None = None
    value_at_s: float = 0.0
    updated_at_s: float = 0.0
    updates: int = 0
    increments: list[tuple[float, float]] = field(default_factory=list)


class LastValue:
    """A random walk from the last value, its steps drawn from the past ones (a bootstrap).

    Each past increment is as likely to come back as its opposite, so that the median is the
    last value and a ramp widens the forecast instead of making it sure of itself. Increments
    are scaled by the square root of time, as those of a random walk are; a gap adds one
    increment of its own length before the first step. The same updates give the same paths.
    """

    name = "last_value"
    looks_back_s: ClassVar[float] = 7200.0

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._state = _Memory()

    def update(self, time_s: float, reading: Reading) -> None:
        """Take the load at this time; a gap only makes the last value older."""
        state = self._state
        state.updates += 1
        state.updated_at_s = time_s
        value = fresh(reading)
        if value is None:
            return
        elapsed_s = time_s - state.value_at_s
        if state.value is not None and elapsed_s > 0:
            kept = deque(state.increments, KEPT_INCREMENTS)
            kept.append((value - state.value, elapsed_s))
            state.increments = list(kept)
        state.value, state.value_at_s = value, time_s

    def predict(self, horizon_s: float, step_s: float) -> Forecast | None:
        """Joint paths of shape (200, horizon / step); None before the first value."""
        state = self._state
        if state.value is None:
            return None
        steps = max(1, round(horizon_s / step_s))
        gap_s = state.updated_at_s - state.value_at_s
        paths = state.value + np.cumsum(self._increments(steps, step_s, gap_s), axis=1)
        calibrated = len(state.increments) >= CALIBRATED_FROM
        return Forecast(np.maximum(paths, 0.0), step_s, state.updated_at_s, self.name, calibrated)

    def fit_task(self) -> FitTask | None:
        """None: nothing here is slow."""
        return None

    def fitted(self, result: Any) -> None:
        """Ignore a result: no fit is ever asked for."""

    def saved(self) -> State:
        """The last value and the increments kept."""
        increments: State = [[change, elapsed_s] for change, elapsed_s in self._state.increments]
        plain = to_plain(replace(self._state, increments=[]))
        return plain | {"increments": increments} if isinstance(plain, dict) else plain

    def resume(self, saved: State) -> None:
        """Go on from what `saved` gave."""
        self._state = from_plain(saved, _Memory)

    def _increments(self, steps: int, step_s: float, gap_s: float) -> NDArray[np.float64]:
        """Increments of shape (samples, steps), the gap's joined to the first."""
        if not self._state.increments:
            return np.zeros((SAMPLES, steps))
        change, elapsed_s = np.array(self._state.increments).T
        per_root_second = change / np.sqrt(elapsed_s)
        generator = np.random.default_rng((self._seed, self._state.updates))
        shape = (SAMPLES, steps + 1)
        either_way = np.concatenate((per_root_second, -per_root_second))
        drawn = either_way[generator.integers(either_way.size, size=shape)]
        drawn[:, 0] *= np.sqrt(max(gap_s, 0.0))
        drawn[:, 1:] *= np.sqrt(step_s)
        drawn[:, 1] += drawn[:, 0]
        return drawn[:, 1:]
