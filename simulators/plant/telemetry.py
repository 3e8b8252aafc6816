"""The reports of a simulated plant: late, lost, or distorted by a fault."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from policies.observation import Missing, Observation
from simulators.levels.draws import TELEMETRY, uniform
from simulators.plant.conditions import Conditions

NOT_ARRIVED = Missing("no report has arrived yet")
LOST = Missing("the report was lost on its way")


@dataclass(slots=True)
class Telemetry:
    """Reports `delay` control intervals late, and loses a share `loss` of them by the seed."""

    delay: int
    loss: float
    seed: int
    _seen: deque[Observation] = field(init=False)
    _sound: Observation | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._seen = deque(maxlen=self.delay + 1)

    def report(self, seen: Observation, step: int, conditions: Conditions) -> Observation:
        """The report after so many steps; perfect telemetry would report what was `seen`."""
        self._seen.append(seen)
        report = self._seen[0]
        if len(self._seen) <= self.delay:
            report = Observation(seen.time_s, seen.interval_s, NOT_ARRIVED)
        if self.loss > 0.0 and uniform(self.seed, 0, step, TELEMETRY) < self.loss:
            report = Observation(report.time_s, report.interval_s, LOST)
        if conditions.telemetry is None:
            self._sound = report
        return conditions.distort(report, self._sound)
