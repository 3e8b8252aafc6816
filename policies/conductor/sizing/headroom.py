"""How much above what is expected the load may rise: learned from the peaks that came."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from policies.conductor.peaks import PeakErrors, Peaks
from policies.forecast import Forecast
from policies.policy import State

HALF_LIFE_S = 3 * 86_400.0
"""Seconds after which a peak counts half."""
OPEN_WINDOWS = 10
"""Windows that are followed at a time, however short a control interval is."""
JUDGED_AT = 0.97
"""Quantile of the peak by which forecasts are judged: where a node is worth its misses."""
SURGE = 5.0
"""Spreads above what was expected shortly before, beyond which a load is on its way elsewhere."""
SURGE_GROWTH = 2.0
"""Times what it has risen that a surge is believed to rise at most."""
UNKNOWN_SHARE = 0.05
"""Part of itself by which a load of which nothing is known yet is believed to vary."""
UNKNOWN_WITHIN_S = 150.0
"""Seconds within which it is believed to vary so."""
VARIANCE_HALF_LIFE_S = 3600.0
"""Seconds after which a change of the load counts half."""
HIGH_OF_A_WALK = 1.645
"""Quantile, 90 %, of a random walk's peak, times the walk's deviation at the end of the window
(the reflection principle)."""
MOST_GROWTH = 10.0
"""Times the highest load of late that no peak is expected beyond."""
RISE_GROWTH = 2.0
"""Times the highest rise of late above what was expected that no rise is learned to be. Errors are
learned in spreads: one that was many times a narrow spread would else be as many times a wide."""
FORGOTTEN_AFTER_S = 30 * 86_400.0
"""Seconds that a longer time without a decision, or a leap of the clock, counts as."""
MOST_WEIGHT = 1e12
"""Weight of a peak at which all weights are divided, before they overflow."""
EXPECTED_BY = {"forecast": "by the forecast", "persistence": "as the load varied of late"}

Stated = list[float]
"""Peak of a window: its median, its spread, and its quantile at `JUDGED_AT`."""


@dataclass(slots=True)
class Window:
    """A lead window that is not over: the highest load so far, and what was said of it."""

    begin_s: float
    end_s: float
    highest: float
    stated: dict[str, Stated]


@dataclass(slots=True)
class Headroom:
    """Learns what the peak of the load may be until another node could serve.

    Peaks of the load over the lead window are expected in two ways, each with its `errors`: by
    the forecast, and as if the load went on to vary as of late (`persistence`, from the
    `variance` of a second). The forecast is believed unless it lost more. What is learned from
    a load near nothing, in units of its spread, says nothing true of a larger one: no peak is
    expected beyond so many times the `highest` load of late, nor what was learned beyond so many
    times its `highest_rise` above an expected median.
    """

    errors: dict[str, PeakErrors] = field(
        default_factory=lambda: {"persistence": PeakErrors(), "forecast": PeakErrors()}
    )
    windows: list[Window] = field(default_factory=list)
    weight: float = 1.0
    variance: float | None = None
    load: float | None = None
    highest: float = 0.0
    highest_rise: float = 0.0
    interval_s: float = 1.0
    now_s: float | None = None

    @classmethod
    def recall(cls, state: State) -> Headroom:
        """The headroom of an earlier decision out of its `plain`; afresh from anything else."""
        if not isinstance(state, dict) or state.keys() != cls.__dataclass_fields__.keys():
            return cls()
        held = cast(dict[str, Any], state)
        try:
            errors = {
                name: PeakErrors(dict(held["errors"][name]["counts"]), held["errors"][name]["loss"])
                for name in EXPECTED_BY
            }
            windows = [Window(**each) for each in held["windows"]]
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls()
        return cls(**held | {"errors": errors, "windows": windows})

    def plain(self) -> State:
        """All of it as plain JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        errors = {name: {"counts": e.counts, "loss": e.loss} for name, e in self.errors.items()}
        windows = [
            {"begin_s": w.begin_s, "end_s": w.end_s, "highest": w.highest, "stated": w.stated}
            for w in self.windows
        ]
        return cast(State, plain | {"errors": errors, "windows": windows})

    def see(self, time_s: float, load: float | None) -> None:
        """Take one interval; one without a load ends the open windows: nobody knows their peaks."""
        elapsed_s = 0.0 if self.now_s is None else time_s - self.now_s
        elapsed_s = min(max(elapsed_s, 0.0), FORGOTTEN_AFTER_S)
        if load is None or (self.now_s is not None and time_s < self.now_s):
            self.windows = []
        self.now_s = time_s
        self.interval_s = elapsed_s or self.interval_s
        self._discount(elapsed_s)
        if load is None:
            self.load = None
            return
        self.highest = max(load, self.highest)
        self._vary(load, elapsed_s)
        self._follow(time_s, load)

    def expect(self, forecast: Forecast | None, load: float, window_s: float) -> Peaks:
        """Peaks that the window may have; how they come out will be learned.

        A forecast that does not know its own spread yet says nothing. A surge is expected to go
        on at its pace. Never is less expected than now.
        """
        expected = {"persistence": self._persistence(load, window_s)}
        if forecast is not None and forecast.calibrated:
            expected["forecast"] = _summary(forecast, load, window_s)
        per_second = self.weight / max(window_s / OPEN_WINDOWS, self.interval_s)
        most = max(load, MOST_GROWTH * self.highest)
        peaks: dict[str, Peaks] = {}
        stated: dict[str, Stated] = {}
        for name, (calm, wide) in expected.items():
            spread = min(wide, max(most, 1.0))
            median = min(calm + self._surge(name, load, window_s), most)
            most_rise = RISE_GROWTH * self.highest_rise
            found = self.errors[name].peaks(median, spread, per_second, most_rise)
            loads = np.clip(found.loads, load, most)
            peaks[name] = Peaks(loads, found.probabilities, EXPECTED_BY[name])
            stated[name] = [median, spread, peaks[name].quantile(JUDGED_AT)]
        self._open(load, stated, window_s)
        return peaks[self._believed(peaks)]

    def _believed(self, peaks: Mapping[str, Peaks]) -> str:
        """The forecast, where there is one that has not lost more."""
        no_worse = self.errors["forecast"].loss <= self.errors["persistence"].loss
        return "forecast" if no_worse and "forecast" in peaks else "persistence"

    def _persistence(self, load: float, window_s: float) -> tuple[float, float]:
        """Median and spread of the peak of a load that varies as of late."""
        deviation = math.sqrt((self.variance or 0.0) * window_s)
        return load, max(_least_spread(load), HIGH_OF_A_WALK * deviation)

    def _surge(self, name: str, load: float, window_s: float) -> float:
        """How much further a load rises that has left all expectation; 0 for any other."""
        time_s = self.now_s or 0.0
        for window in self.windows:
            if name not in window.stated:
                continue
            median, spread, _ = window.stated[name]
            rise, age_s = load - median, time_s - window.begin_s
            if rise > SURGE * spread and age_s > 0.0:
                return min(rise * window_s / age_s, SURGE_GROWTH * rise)
        return 0.0

    def _open(self, load: float, stated: dict[str, Stated], window_s: float) -> None:
        begin_s = self.now_s or 0.0
        end_s = begin_s + window_s
        last_end_s = self.windows[-1].end_s if self.windows else -math.inf
        if end_s >= last_end_s + window_s / OPEN_WINDOWS - 1e-6:
            self.windows.append(Window(begin_s, end_s, load, stated))

    def _discount(self, elapsed_s: float) -> None:
        self.highest *= 0.5 ** (elapsed_s / HALF_LIFE_S)
        self.highest_rise *= 0.5 ** (elapsed_s / HALF_LIFE_S)
        self.weight *= 2.0 ** (elapsed_s / HALF_LIFE_S)
        if self.weight > MOST_WEIGHT:
            for each in self.errors.values():
                each.divide(self.weight)
            self.weight = 1.0

    def _vary(self, load: float, elapsed_s: float) -> None:
        """Learn by how much the load changes within a second, as a random walk would."""
        if self.variance is None:
            spread = UNKNOWN_SHARE * load / HIGH_OF_A_WALK
            self.variance = spread**2 / UNKNOWN_WITHIN_S
        elif self.load is not None and elapsed_s > 0.0:
            kept = 0.5 ** (elapsed_s / VARIANCE_HALF_LIFE_S)
            latest = (load - self.load) ** 2 / elapsed_s
            self.variance = kept * self.variance + (1.0 - kept) * latest
        self.load = load

    def _follow(self, time_s: float, load: float) -> None:
        """Learn from the windows that are over; forecasts are judged where both ways spoke."""
        for window in self.windows:
            window.highest = max(window.highest, load)
        while self.windows and self.windows[0].end_s <= time_s + 1e-6:
            over = self.windows.pop(0)
            for name, (median, spread, high) in over.stated.items():
                self.highest_rise = max(self.highest_rise, over.highest - median)
                self.errors[name].learn(median, spread, over.highest, self.weight)
                if len(over.stated) == len(self.errors):
                    self.errors[name].judge(high, JUDGED_AT, over.highest, self.weight)


def _least_spread(load: float) -> float:
    """Spread of a load in which streams are born and die."""
    return 0.5 * math.sqrt(max(load, 1.0))


def _summary(forecast: Forecast, load: float, window_s: float) -> tuple[float, float]:
    """Median of the peak over the window, and its spread."""
    steps = max(1, min(forecast.steps, round(window_s / forecast.step_s)))
    median, high = forecast.peak_quantiles((0.5, 0.9), steps)
    return median, max(high - median, _least_spread(load))
