"""The quantiles of all members together, averaged by the weight that each has earned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.forecasting.arrays import decode, encode
from controller.forecasting.ensemble.curves import LEVELS, MEDIAN, Curves
from controller.forecasting.ensemble.residuals import RollingResiduals
from controller.forecasting.ensemble.scores import SCORED, Scores, pinball
from controller.forecasting.history import Floats, History
from controller.forecasting.model import Fitted, Model, between_knots, knots
from policies.policy import State

AT_SCORED = np.array([LEVELS.index(each) for each in SCORED])
WEIGHED_AS = np.searchsorted([0.15, 0.75, 0.95], LEVELS)
"""Index of the scored probability that lends its weights to each level."""
REFIT_AFTER = 30
"""Cells after a change, so that a fit sees some of what came of it."""
OVERLAP = 8.0
"""Steps ahead for which the errors of one more forecast must come to tell as much as one did."""


class Mixture:
    """Members, the first of which is last value, each with its own past errors at each knot.

    A member's quantiles are what it expects plus those of its last errors, in units of the
    width that it said was usual. A loss counts once the load that was forecast has come.
    """

    def __init__(self, models: Sequence[Model], horizon: int) -> None:
        self.models = tuple(models)
        self._horizon = horizon
        self._knots = knots(horizon)
        self._shape = (len(self.models), self._knots.size)
        overlap = np.tile(1.0 + self._knots / OVERLAP, len(self.models))
        self._residuals = RollingResiduals(overlap.size, overlap=overlap)
        self._scores = Scores(len(self.models), self._knots)
        self._loads = np.full((horizon + 1, *self._shape), np.nan)
        self._widths = np.ones((horizon + 1, *self._shape))

    @property
    def completed(self) -> int:
        """Forecasts of last value over the whole horizon whose target has come."""
        return int(self._residuals.count.reshape(self._shape)[0, -1])

    def learn(self, value: float, cell: int) -> None:
        """Take the load of a cell: the target of forecasts made so many cells before."""
        made = (cell - self._knots) % (self._horizon + 1)
        knot = np.arange(made.size)
        width = self._widths[made, :, knot].T
        errors = (value - self._loads[made, :, knot].T) / width
        stated = self._residuals.quantiles.reshape(*self._shape, -1)[:, :, AT_SCORED]
        losses = pinball(errors[:, :, None] - stated, np.array(SCORED))
        self._scores.add(width[:, :, None] * losses)
        self._residuals.add(errors.reshape(-1))

    def doubt(self, count: int) -> None:
        """Ask for new fits and trust no member: what was learned of them may no longer hold."""
        self._scores.level()
        for model in self.models:
            if isinstance(model, Fitted):
                model.schedule.bring_forward(count, REFIT_AFTER)

    def skip(self, cell: int) -> None:
        """A gap: from this cell nothing is forecast."""
        self._loads[cell % (self._horizon + 1)] = np.nan

    def issue(self, history: History) -> Curves | None:
        """The members' forecast from the end of a history; None while none knows its errors."""
        loads, widths = self._ask(history)
        slot, at = history.count % (self._horizon + 1), self._knots - 1
        self._loads[slot], self._widths[slot] = loads[:, at], widths[:, at]
        known = self._residuals.known.reshape(self._shape) & np.isfinite(loads[:, at])
        if not known.any(axis=0).all():
            return None
        return self._average(np.nan_to_num(loads), widths, known)

    def saved(self) -> State:
        """Forecasts under way, errors, losses, and what each member learned."""
        return {
            "loads": encode(self._loads),
            "widths": encode(self._widths),
            "residuals": self._residuals.saved(),
            "scores": self._scores.saved(),
            "models": {model.name: model.saved() for model in self.models},
        }

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self._loads, self._widths = decode(saved["loads"]), decode(saved["widths"])
        self._residuals.resume(saved["residuals"])
        self._scores.resume(saved["scores"])
        for model in self.models:
            model.resume(saved["models"][model.name])

    def _ask(self, history: History) -> tuple[Floats, Floats]:
        """The load that each member expects, NaN where it says nothing, and its usual width."""
        loads = np.full((len(self.models), self._horizon), np.nan)
        widths = np.ones_like(loads)
        for row, model in enumerate(self.models):
            points = model.points(history, self._horizon)
            if points is not None:
                loads[row] = points.load
                if points.scale is not None:
                    widths[row] = points.scale
        return loads, widths

    def _average(self, loads: Floats, widths: Floats, known: NDArray[np.bool_]) -> Curves:
        weights = self._scores.weights(known)
        errors = self._residuals.quantiles.reshape(*self._shape, -1)
        errors = np.where(known[:, :, None], errors, 0.0) * widths[:, self._knots - 1, None]
        between, middle = between_knots(self._horizon), weights[:, :, SCORED.index(0.5)]
        typical = (middle * errors[:, :, MEDIAN]).sum(axis=0)
        median = np.einsum("mk,hk,mh->h", middle, between, loads) + between @ typical
        stated = loads[:, self._knots - 1, None] + errors
        quantiles = (weights[:, :, WEIGHED_AS] * stated).sum(axis=0)
        return Curves(median, np.sort(quantiles, axis=1) - median[self._knots - 1, None])
