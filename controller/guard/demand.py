"""Whether anything asks for more: what a growth needs, and what no shrink may do without."""

from __future__ import annotations

from controller.guard.review_context import ReviewContext
from policies.forecast import Forecast
from policies.knobs import Direction
from policies.observation import Observation, fresh
from policies.proposal import Action

DEMAND_QUANTILE = 0.5
"""Quantile of the forecast's peak that counts as a sign of demand."""
RARE_QUANTILE = 0.99
"""Quantile of the forecast's peak below which a load comes one time in a hundred."""
LEAST_LOAD = 0.5
"""Streams: a load below this is none."""


def gap(observation: Observation, complete_load: float | None) -> str | None:
    """The figure that is not known, in words; an idle plant without blocks lacks none.

    `complete_load` is the last that was seen with complete data, streams; None: none ever was.
    """
    load = fresh(observation.load)
    if load is None and complete_load is not None:
        return "the load is not known"
    if load != 0.0 and (observation.blocks is None or not observation.blocks.submitted):
        return "the miss rate is not known"
    return None


def forecast_peak(forecast: Forecast) -> float:
    """The highest load that is expected over the horizon, streams."""
    return forecast.peak_quantile(DEMAND_QUANTILE, forecast.steps)


def without_data(
    action: Action,
    direction: Direction,
    context: ReviewContext,
    complete_load: float | None,
    expected_peak: float | None,
) -> str | None:
    """Never shrink without data; grow only where something else shows demand.

    So does the very quantity that the growth is to bring down, where it is not one of those
    that are missing: of programs nothing but their delay is ever known.
    """
    missing = gap(context.observation, complete_load)
    if missing is None:
        return None
    if direction is Direction.SHRINK:
        return f"nothing shrinks while {missing}"
    measured = fresh(context.observation.get(action.effect.quantity))
    if measured is not None or _shows_demand(context, complete_load, expected_peak):
        return None
    return f"{missing}, and nothing else shows demand"


def _shows_demand(
    context: ReviewContext, complete_load: float | None, expected_peak: float | None
) -> bool:
    """A late block, a load above the last that was seen with complete data, or its forecast."""
    latency_ms = fresh(context.observation.latency.p99_ms)
    if latency_ms is not None and latency_ms > context.objective.deadline_ms:
        return True
    signs = (fresh(context.observation.load), expected_peak)
    return complete_load is not None and any(
        sign is not None and sign > complete_load for sign in signs
    )


def for_nobody(direction: Direction, context: ReviewContext) -> str | None:
    """Nothing grows without a load where none is expected either, one time in a hundred."""
    forecast = context.forecast
    if direction is not Direction.GROW or forecast is None:
        return None
    if fresh(context.observation.load) != 0.0:
        return None
    if forecast.peak_quantile(RARE_QUANTILE, forecast.steps) >= LEAST_LOAD:
        return None
    return "there is no load, and none is expected"
