"""The record of one tick of the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.diagnosis import Diagnosis
from policies.forecast import Forecast
from policies.knobs import KnobState, Settings
from policies.observation import Observation
from policies.proposal import Change, Hold, Proposal, Refusal, Verification


@dataclass(frozen=True, slots=True)
class ForecastSummary:
    """The summary of a forecast that is kept: quantiles of the highest load over its horizon."""

    model: str
    calibrated: bool
    horizon_s: float
    peak_p50: float
    peak_p90: float
    peak_p99: float

    @classmethod
    def of(cls, forecast: Forecast) -> ForecastSummary:
        """The summary of a forecast."""
        peaks = forecast.peak_quantiles((0.5, 0.9, 0.99), forecast.steps)
        horizon_s = forecast.steps * forecast.step_s
        return cls(forecast.model, forecast.calibrated, horizon_s, *peaks)


@dataclass(slots=True)
class Tick:
    """Everything that one tick saw, decided and did: enough to explain and to replay it.

    Not frozen, since its duration is known last.

    `time_s` is the clock at the end of the observed interval. `changes` were admitted; where
    `shadow` is set they were not applied. `refusals` names those that the plant would not
    take. `settings` was in force when it was decided, `states` is how the knobs stand after
    it, `unavailable` why a knob could not be turned (paused, in shadow, moved by another
    hand). `overruns` counts the earlier ticks that took longer than the interval;
    `duration_ms` is this tick's time, in the journal without the writing of the journal.
    """

    number: int
    time_s: float
    shadow: bool
    observation: Observation
    forecast: ForecastSummary | None
    diagnosis: Diagnosis
    proposal: Proposal
    changes: tuple[Change, ...]
    holds: tuple[Hold, ...]
    verifications: tuple[Verification, ...]
    refusals: tuple[Refusal, ...]
    alarms: tuple[str, ...]
    settings: Settings
    states: Mapping[str, KnobState]
    duration_ms: float
    overruns: int
    unavailable: Mapping[str, str] = field(default_factory=dict)
