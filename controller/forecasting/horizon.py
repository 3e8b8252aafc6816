"""How far ahead the load is forecast: as far as the slowest knob needs."""

from __future__ import annotations

import math
from collections.abc import Mapping

DELAYS_AHEAD = 2.0
"""Delays seen ahead: what is asked for now is there after one, and must do until the next is."""
STAGES_PER_DOUBLING = 2
MOST_STEPS = 600
"""Steps beyond which they grow longer: a forecast must not take longer than its use is worth."""


def horizon(
    least_s: float, delays_s: Mapping[str, float], interval_s: float
) -> tuple[float, float]:
    """Horizon and step, seconds: at least `least_s` and two learned delays of the slowest knob.

    It grows in stages, so that what a forecaster keeps for one horizon is not begun anew each
    time a learned delay moves a little.
    """
    wanted_s = DELAYS_AHEAD * max(delays_s.values(), default=0.0)
    stages = STAGES_PER_DOUBLING * math.log2(max(1.0, wanted_s / least_s))
    horizon_s = least_s * 2.0 ** (math.ceil(stages - 1e-9) / STAGES_PER_DOUBLING)
    steps = min(MOST_STEPS, math.ceil(horizon_s / interval_s - 1e-9))
    return horizon_s, max(interval_s, horizon_s / steps)
