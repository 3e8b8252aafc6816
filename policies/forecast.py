"""Forecasts: the load to come, with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Joint sample paths of the load.

    `paths` has shape (samples, steps), in the load's unit; column k is the load
    (k + 1) * `step_s` seconds after `made_at_s`. `model` names the forecaster;
    `calibrated` is False until its stated quantiles have been checked against what came.
    """

    paths: NDArray[np.float64]
    step_s: float
    made_at_s: float
    model: str
    calibrated: bool = False
    _peaks: dict[int, NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False)

    @property
    def steps(self) -> int:
        """How many steps ahead the paths reach."""
        return int(self.paths.shape[1])

    def quantile(self, p: float, step: int) -> float:
        """The p-quantile of the load `step` steps ahead, counted from 1."""
        return float(np.quantile(self.paths[:, step - 1], p))

    def peak_quantile(self, p: float, window: int) -> float:
        """The p-quantile of the highest load within the next `window` steps.

        This, not the quantile of any one step, is what capacity must cover.
        """
        return self.peak_quantiles((p,), window)[0]

    def peak_quantiles(self, ps: tuple[float, ...], window: int) -> tuple[float, ...]:
        """Several quantiles of that peak, at the price of one."""
        peaks = self._peaks.get(window)
        if peaks is None:
            peaks = self._peaks[window] = np.sort(self.paths[:, :window].max(axis=1))
        ranks = np.multiply(ps, peaks.size - 1)  # linear between order statistics, as numpy has it
        return tuple(np.interp(ranks, np.arange(peaks.size), peaks).tolist())
