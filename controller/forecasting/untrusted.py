"""Forecasters are anyone's code: what they raise or get wrong becomes an alarm."""

from __future__ import annotations

import numpy as np

from controller.forecasting.forecaster import Forecaster
from controller.untrusted import PLAIN
from policies.forecast import Forecast
from policies.observation import Observation
from policies.policy import State


def forecast(
    forecaster: Forecaster, observation: Observation, horizon_s: float, step_s: float
) -> tuple[Forecast | None, str | None]:
    """A forecaster's forecast after one more reading; None and an alarm if it is nonsense."""
    try:
        forecaster.update(observation.time_s, observation.load)
        made = forecaster.predict(horizon_s, step_s)
        wrong = None if made is None else no_forecast(made) or _too_short(made, horizon_s)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a forecaster may fail in any way
        wrong = f"raised {error!r}"
    if wrong is None:
        return made, None
    return None, f"forecaster {forecaster.name} {wrong}"


def saved(forecaster: Forecaster) -> tuple[State, str | None]:
    """All that a forecaster learned; None and an alarm where that cannot be kept."""
    try:
        learned = forecaster.saved()
        PLAIN.encode(learned)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a forecaster may fail in any way
        return None, f"forecaster {forecaster.name}: what it learned is lost: raised {error!r}"
    return learned, None


def resume(forecaster: Forecaster, saved: State) -> str | None:
    """Let a forecaster go on from what it saved earlier; an alarm where it cannot."""
    try:
        forecaster.resume(saved)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a forecaster may fail in any way
        return f"forecaster {forecaster.name} cannot read its own saved state: raised {error!r}"
    return None


def no_forecast(made: object) -> str | None:
    """The fault of a forecast as such; None where it has none."""
    if not isinstance(made, Forecast):
        return f"returned a {type(made).__name__}, not a Forecast"
    if made.paths.ndim != 2 or 0 in made.paths.shape:
        return f"returned paths of shape {made.paths.shape}, not samples by steps"
    if not np.isfinite(made.paths).all() or (made.paths < 0).any():
        return "forecast a load that is negative or not finite"
    return None if made.step_s > 0 else f"returned steps of {made.step_s} s"


def _too_short(made: Forecast, horizon_s: float) -> str | None:
    """The fault of a forecast that does not look as far ahead as was asked."""
    seen_s = made.steps * made.step_s
    if seen_s >= horizon_s - 0.5 * made.step_s:
        return None
    return f"looked {seen_s:g} s ahead where {horizon_s:g} s were asked for"
