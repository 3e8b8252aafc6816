"""The facts that a review by the guard depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.forecast import Forecast
from policies.knobs import Knob, Settings
from policies.objective import Objective
from policies.observation import Observation
from policies.proposal import Change


@dataclass(slots=True)
class ReviewContext:
    """All that an admission depends on beside the guard's own state.

    Not frozen, since one is made each tick, and freezing is most of what that costs.
    `drift` names the knobs that another hand moved, and how; `pending` the change under
    evaluation on each resource; `delays_s` how long each knob takes.
    """

    time_s: float
    objective: Objective
    observation: Observation
    forecast: Forecast | None
    knobs: Mapping[str, Knob]
    settings: Settings
    drift: Mapping[str, str] = field(default_factory=dict)
    pending: Mapping[str, Change] = field(default_factory=dict)
    delays_s: Mapping[str, float] = field(default_factory=dict)
