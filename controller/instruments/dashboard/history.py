"""The last minutes of a run, bounded: they are shown to whoever opens the page late."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

HISTORY_S = 900.0
POINTS = 3600
DECISIONS = 200
ALARMS = 100


class History:
    """Pictures of ticks so far, each of which is taken in by `add`; `run` says what runs.

    Points reach back `HISTORY_S` seconds, or `POINTS` ticks where those are more frequent.
    """

    def __init__(self, run: Mapping[str, Any]) -> None:
        kept = math.ceil(HISTORY_S / run["interval_s"])
        self._run = run
        self._points: deque[Mapping[str, Any]] = deque(maxlen=min(kept, POINTS))
        self._decisions: deque[dict[str, Any]] = deque(maxlen=DECISIONS)
        self._alarms: dict[str, Mapping[str, Any]] = {}
        self._last: Mapping[str, Any] | None = None

    def add(self, picture: Mapping[str, Any]) -> None:
        """Take in the picture of one more tick."""
        self._last = picture
        self._points.append(picture["point"] | {"number": picture["number"]})
        self._decisions.extend(map(dict, picture["decisions"]))
        for alarm in picture["alarms"]:
            self._note(alarm)
        verdicts = {each["id"]: each for each in picture["verdicts"]}
        if verdicts:
            for decision in self._decisions:
                decision["verdict"] = verdicts.get(decision["id"], decision["verdict"])

    def snapshot(self) -> dict[str, Any]:
        """All of the run so far, for a page to go on from; `last` is null before the first tick."""
        return {
            "run": self._run,
            "points": list(self._points),
            "decisions": list(self._decisions),
            "alarms": list(self._alarms.values()),
            "last": self._last,
        }

    def _note(self, alarm: Mapping[str, Any]) -> None:
        """Keep one of each kind, the newest, with how often it came; else one would oust all."""
        kind = alarm["kind"]
        before = self._alarms.pop(kind, {"times": 0, "since_s": alarm["time_s"]})
        counted = {"times": before["times"] + 1, "since_s": before["since_s"]}
        self._alarms[kind] = {**alarm, **counted}
        if len(self._alarms) > ALARMS:
            del self._alarms[next(iter(self._alarms))]
