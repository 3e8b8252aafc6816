"""How much above the forecast to provide: learned from peaks that came, priced by misses."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from policies.forecast import Forecast
from policies.policy import State

BINS_PER_UNIT = 10
"""Errors are counted on a scale that is even around zero and logarithmic far from it (asinh)."""
HALF_LIFE_S = 3 * 86_400.0
"""After so long a peak counts half."""
PRIOR_S = 900.0
"""The peaks that are believed in before any has come count as so many seconds of them."""
PRIOR_ERRORS = np.array([0.0, 1.0, 1.9, 4.0, 6.0, 10.0])
PRIOR_CHANCES = np.array([0.6, 0.3, 0.07, 0.025, 0.004, 0.001])
"""A median of 0, 10 % beyond 1, and one in a thousand at 10 times the spread."""
WIDTH_PRIOR_S = 300.0
"""Likewise for how wide errors are as a whole, which is known sooner than their tail."""
LEAST_WIDTH = 0.1
OPEN_WINDOWS = 10
"""So many windows are followed at a time, however short a control interval is."""
PRICE = 0.03
"""A node's worth of misses at the target costs this part of a node."""
AIM = 0.9
"""Part of the target that is aimed at: chance must not take what is missed beyond it."""
MISSES_HALF_LIFE_S = 2 * 86_400.0
MISSES_PRIOR_S = 86_400.0
"""So long misses on target are believed in before any were seen: a bad first minute is not all
that there is to know. What of it is not one node's work is forgotten like all else."""
PRICE_RANGE = (0.5, 10.0)
SURGE = 5.0
"""A load so many spreads above what was expected of it shortly before is on its way elsewhere."""
SURGE_GROWTH = 2.0
"""It is believed to rise by at most so many times what it has risen."""
UNFORECAST_SHARE = 0.05
"""The spread of a load that nobody forecasts, as a part of it."""
MOST_WEIGHT = 1e12

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """What the highest load of the lead window may be: values and their probabilities."""

    loads: Floats
    probabilities: Floats

    def quantile(self, p: float) -> float:
        """The load that the peak exceeds with probability 1 - p."""
        order = np.argsort(self.loads)
        cumulated = np.cumsum(self.probabilities[order])
        at = min(int(np.searchsorted(cumulated, p - 1e-9)), order.size - 1)
        return float(self.loads[order[at]])


@dataclass(slots=True)
class Headroom:
    """Two things a policy learns on line, so that a target miss rate is all it is given.

    `errors` counts how far peaks of the load over the lead window came out above the forecast's
    median, in units of its spread (its 90 % quantile less the median), by bin; `windows` are
    those still open, as [end, median, spread, highest load so far, whether it will count].
    `missed` and `submitted` are discounted stream-time, `observed_s` the time that they were
    seen in, and `prior_s` what is left of the belief in misses on target: where more is missed,
    a miss becomes dearer.
    """

    errors: dict[str, float] = field(default_factory=dict)
    windows: list[list[float]] = field(default_factory=list)
    weight: float = 1.0
    missed: float = 0.0
    submitted: float = 0.0
    observed_s: float = 0.0
    prior_s: float = MISSES_PRIOR_S
    now_s: float | None = None

    @classmethod
    def recall(cls, state: State) -> Headroom:
        """What `plain` returned at an earlier decision; afresh from anything else."""
        if not isinstance(state, dict) or state.keys() != cls.__dataclass_fields__.keys():
            return cls()
        return cls(**cast(dict[str, object], state))  # type: ignore[arg-type]

    def plain(self) -> State:
        """All of it as plain JSON."""
        return cast(State, {name: getattr(self, name) for name in self.__dataclass_fields__})

    def see(self, time_s: float, load: float | None, miss_rate: float | None) -> None:
        """Take one interval; one without a load ends the open windows: nobody knows their peaks."""
        elapsed_s = 0.0 if self.now_s is None else max(0.0, time_s - self.now_s)
        if self.now_s is not None and time_s < self.now_s:
            self.windows = []
        self.now_s = time_s
        self._discount(elapsed_s)
        if load is None:
            self.windows = []
            return
        if miss_rate is not None:
            self.missed += miss_rate * load * elapsed_s
            self.submitted += load * elapsed_s
            self.observed_s += elapsed_s
        self._follow(time_s, load)

    def expect(self, forecast: Forecast | None, load: float, window_s: float) -> Peaks:
        """What the peak over the window may be; how it comes out will be learned.

        Nothing is learned from a forecast that does not know its own spread yet. Without any the
        load is expected to stay; a surge, to go on at its pace. Never is less expected than now.
        """
        median, spread = _summary(forecast, load, window_s)
        time_s = self.now_s or 0.0
        median += self._surge(load, time_s, window_s)
        last_end_s = self.windows[-1][0] if self.windows else -math.inf
        if time_s + window_s >= last_end_s + window_s / OPEN_WINDOWS - 1e-6:
            tells = forecast is None or forecast.calibrated
            self.windows.append([time_s + window_s, median, spread, 0.0, float(tells)])
        errors, probabilities = self._errors(window_s)
        return Peaks(np.maximum(median + spread * errors, load), probabilities)

    def price(self, target_miss_rate: float, streams_per_node: float) -> float:
        """What a missed stream costs for as long as it is missed, in nodes.

        It rises with the square of the misses relative to what is aimed at.
        """
        usual_load = self.submitted / self.observed_s if self.observed_s else 0.0
        prior = max(MISSES_PRIOR_S * streams_per_node, self.prior_s * usual_load)
        allowed = AIM * target_miss_rate * (self.submitted + prior)
        relative = (self.missed + AIM * target_miss_rate * prior) / allowed
        low, high = PRICE_RANGE
        factor = min(max(relative**2, low), high)
        return factor * PRICE / (target_miss_rate * streams_per_node)

    def _errors(self, window_s: float) -> tuple[Floats, Floats]:
        """How far a peak may come out above the median, in spreads, and how likely that is.

        What was seen tells soon how wide errors are, and late how heavy their tail is: what is
        believed of the tail goes with the 90 % quantile of those seen.
        """
        seen = np.sinh(np.array([int(each) for each in self.errors]) / BINS_PER_UNIT)
        counts = np.array(list(self.errors.values()))
        per_window = self.weight / max(window_s / OPEN_WINDOWS, 1.0)
        width = 1.0
        if counts.size:
            share = counts.sum() / (counts.sum() + WIDTH_PRIOR_S * per_window)
            width += share * (Peaks(seen, counts / counts.sum()).quantile(0.9) - 1.0)
        errors = np.concatenate((seen, max(width, LEAST_WIDTH) * PRIOR_ERRORS))
        counts = np.concatenate((counts, PRIOR_S * per_window * PRIOR_CHANCES))
        return errors, counts / counts.sum()

    def _surge(self, load: float, time_s: float, window_s: float) -> float:
        """How much further a load rises that has left all expectation; 0 for any other."""
        for end_s, median, spread, *_ in self.windows:
            rise, age_s = load - median, time_s - (end_s - window_s)
            if rise > SURGE * spread and age_s > 0.0:
                return min(rise * window_s / age_s, SURGE_GROWTH * rise)
        return 0.0

    def _discount(self, elapsed_s: float) -> None:
        kept = 0.5 ** (elapsed_s / MISSES_HALF_LIFE_S)
        self.missed *= kept
        self.submitted *= kept
        self.observed_s *= kept
        self.prior_s *= kept
        self.weight *= 2.0 ** (elapsed_s / HALF_LIFE_S)
        if self.weight > MOST_WEIGHT:
            self.errors = {bin_: each / self.weight for bin_, each in self.errors.items()}
            self.weight = 1.0

    def _follow(self, time_s: float, load: float) -> None:
        for window in self.windows:
            window[3] = max(window[3], load)
        while self.windows and self.windows[0][0] <= time_s + 1e-6:
            _, median, spread, highest, tells = self.windows.pop(0)
            if not tells:
                continue
            bin_ = str(round(BINS_PER_UNIT * math.asinh((highest - median) / spread)))
            self.errors[bin_] = self.errors.get(bin_, 0.0) + self.weight


def _summary(forecast: Forecast | None, load: float, window_s: float) -> tuple[float, float]:
    """Median of the peak over the window, and its spread: at least that of births and deaths."""
    least = 0.5 * math.sqrt(max(load, 1.0))
    if forecast is None:
        return load, max(least, UNFORECAST_SHARE * load)
    steps = max(1, min(forecast.steps, round(window_s / forecast.step_s)))
    median, high = forecast.peak_quantiles((0.5, 0.9), steps)
    return median, max(high - median, least)
