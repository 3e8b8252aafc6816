"""The one interface of all decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from policies.diagnosis import Diagnosis
from policies.forecast import Forecast
from policies.knobs import Knob, KnobState, Settings
from policies.latency import LatencyModel
from policies.objective import Objective
from policies.observation import Observation
from policies.proposal import Proposal, Verification

State = None | bool | int | float | str | list["State"] | dict[str, "State"]
"""State of a policy between decisions: any plain value that JSON can hold."""


@dataclass(frozen=True, slots=True)
class Context:
    """All that a decision may depend on.

    `settings` holds the knobs' values in force (the requested one where the plant does not
    say), `knobs` their descriptions and `states` what is planned, requested and observed of
    each. `forecast` is None where none could be made. `verified` lists the changes judged
    since the last decision, so that a policy can learn from the difference; `unavailable`
    the knobs that must not be turned now, each with the reason (paused, in shadow, awaiting
    verification). `latency` is None where the pipeline was never calibrated, and `delays_s`
    says how long each knob has lately taken to act.
    """

    time_s: float
    objective: Objective
    observation: Observation
    forecast: Forecast | None
    diagnosis: Diagnosis
    knobs: Mapping[str, Knob]
    settings: Settings
    states: Mapping[str, KnobState]
    unavailable: Mapping[str, str]
    verified: tuple[Verification, ...] = ()
    latency: LatencyModel | None = None
    delays_s: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Policy(Protocol):
    """A pure decision: no input or output, no clock of its own, no memory but its state."""

    @property
    def name(self) -> str:
        """The name it is chosen by."""
        ...

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Decide; `state` is None at the first call, and then what the last call returned."""
        ...
