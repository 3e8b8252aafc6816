"""A member of the ensemble: one idea of where the load goes next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from controller.forecasting.arrays import decode_all, encode_all
from controller.forecasting.forecaster import FitTask
from controller.forecasting.history import Floats, History
from policies.policy import State

Steps = NDArray[np.int64]
KNOTS = 8
"""Steps ahead at which errors are learned; between them their law is interpolated."""


@lru_cache(maxsize=8)
def knots(horizon: int) -> Steps:
    """Steps ahead up to the horizon, closer where a forecast changes fastest."""
    return np.unique(np.rint(np.geomspace(1, horizon, min(KNOTS, horizon))).astype(np.int64))


@lru_cache(maxsize=8)
def between_knots(horizon: int) -> Floats:
    """Weights of shape (horizon, knots) that interpolate what is known at the knots."""
    at, ahead = knots(horizon), np.arange(1, horizon + 1)
    return np.stack([np.interp(ahead, at, row) for row in np.eye(at.size)], axis=1)


@dataclass(frozen=True, slots=True)
class Points:
    """Expected loads, one for each step ahead, and how wide an error is usual now.

    `scale` None: the same width always.
    """

    load: Floats
    scale: Floats | None = None


class Model(Protocol):
    """Where the load goes from the end of a history; how sure that is, is learned around it."""

    @property
    def name(self) -> str:
        """The name of the model."""
        ...

    def points(self, history: History, horizon: int, /) -> Points | None:
        """The load at each step up to the horizon; None where nothing is known."""
        ...

    def fit_task(self, history: History, horizon: int, /) -> FitTask | None:
        """The slow part where it is due now; to ask is to begin it."""
        ...

    def fitted(self, result: Any) -> None:
        """Take what a fit gave."""
        ...

    def saved(self) -> State:
        """All that the model learned, as plain JSON."""
        ...

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        ...


class Unfitted:
    """The half of a model that has no slow part and remembers nothing."""

    def fit_task(self, _history: History, _horizon: int, /) -> FitTask | None:
        """None: nothing is slow."""
        return None

    def fitted(self, result: Any) -> None:
        """Ignore a result: no fit is ever asked for."""

    def saved(self) -> State:
        """Nothing."""
        return None

    def resume(self, saved: Any) -> None:
        """Ignore what was saved: there is none."""


@dataclass(slots=True)
class Schedule:
    """When a fit is due: first at `first` cells, then whenever a share more has come.

    The share keeps early fits close together, `most` keeps later ones from lying too far apart.
    """

    first: int
    growth: float = 1.25
    most: int = 1000
    due: int = 0

    def is_due(self, count: int) -> bool:
        """Whether a fit may begin at so many cells."""
        return count >= max(self.first, self.due)

    def begins(self, count: int) -> bool:
        """Whether a fit begins at so many cells; it then counts as begun."""
        if not self.is_due(count):
            return False
        self.due = min(int(count * self.growth) + 1, count + self.most)
        return True

    def bring_forward(self, count: int, soon: int) -> None:
        """Bring the next fit forward to so many cells from now."""
        self.due = min(self.due, count + soon)


class Fitted:
    """The half of a model that is fitted from time to time: its last good fit, as arrays."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.parameters: dict[str, Any] | None = None

    def fitted(self, result: Any) -> None:
        """Take the new fit."""
        self.parameters = result

    def saved(self) -> State:
        """The fit, and when the next is due."""
        return {
            "fit": None if self.parameters is None else encode_all(self.parameters),
            "due": self.schedule.due,
        }

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self.schedule.due = saved["due"]
        self.parameters = None if saved["fit"] is None else decode_all(saved["fit"])
