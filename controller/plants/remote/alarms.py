"""Alarms on the metrics of a service: told once what is wrong lasts, and once it is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.observation import NOT_REPORTED, Invalid, Missing, Reading

RAISED_AFTER = 3
"""Ticks that a reading must be without a value: a single scrape that comes late is no alarm."""


@dataclass(slots=True)
class _Alarm:
    ticks: int = 0
    raised: bool = False


class MetricAlarms:
    """Follows named readings from tick to tick."""

    def __init__(self) -> None:
        self._alarms: dict[str, _Alarm] = {}

    def update(self, readings: Mapping[str, Reading]) -> Iterator[str]:
        """Take the readings of a tick; the alarms that begin and end with it."""
        for name, each in readings.items():
            if each is NOT_REPORTED or not isinstance(each, Invalid | Missing):
                alarm = self._alarms.pop(name, None)
                if alarm is not None and alarm.raised:
                    yield f"{name}: back again"
                continue
            alarm = self._alarms.setdefault(name, _Alarm())
            alarm.ticks += 1
            if alarm.ticks >= RAISED_AFTER and not alarm.raised:
                alarm.raised = True
                yield f"{name}: {each.reason}"
