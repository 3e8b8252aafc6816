"""The threads of programs that are not ours: which of them play, and what keeps them from it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller import scheduling
from controller.errors import ThreadGoneError
from controller.metrics.threads import Activity, ThreadActivitySensor
from controller.plants.processes import read_bytes
from controller.scheduling import REALTIME, Scheduling, ThreadId
from policies.observation import Missing, Reading, Value

SLOWEST, FASTEST = 0.5, 2.5
"""A thread that plays wakes about once a cycle: at least, and at most, so many times."""
BUSIEST = 0.8
"""Share of its processor, and of a cycle at a time, beyond which a thread is at work, not playing.

A thread that only computes gives its interpreter up hundreds of times a second, as often as one
that plays wakes; but it runs for as long as it is let.
"""
PREEMPTED = 0.5
"""Preemptions a wake-up; a thread that sleeps most of the time is seldom caught running."""
RESTING = 0.25
"""Share of the time that a thread runs or waits to, up to which its preemptions mean nothing: a
server that was made real-time wakes it and then runs first, on the same processor."""
INTERPRETERS = (b"libpython", b"/python")
NOT_SEEN = Missing("no audio thread is known yet")


@dataclass(slots=True)
class WatchedThreads:
    """Finds the audio threads among those of the players by how often they wake.

    Found once, a thread stays an audio thread for as long as it lives. One that its program had
    made real-time itself is watched and never scheduled.
    """

    sensor: ThreadActivitySensor = field(default_factory=ThreadActivitySensor)
    found: dict[ThreadId, Scheduling] = field(default_factory=dict)
    background: tuple[ThreadId, ...] = ()
    _activity: Mapping[ThreadId, Activity] = field(default_factory=dict)
    _interpreters: dict[int, bool] = field(default_factory=dict)

    def look(self, players: Iterable[int], background: Iterable[int], cycles_per_s: float) -> None:
        """Watch these processes, in which so many blocks a second are played."""
        self._activity = self.sensor.read(players)
        self.found = {thread: how for thread, how in self.found.items() if thread in self._activity}
        for thread, activity in self._activity.items():
            if thread not in self.found and _plays(activity, cycles_per_s):
                with contextlib.suppress(ThreadGoneError):
                    self.found[thread] = scheduling.read(thread)
        self.background = tuple(
            thread for pid in background for thread in scheduling.threads_of(pid)
        )

    def classes(self) -> dict[str, list[ThreadId]]:
        """The threads that may be scheduled, by class of work."""
        own = [thread for thread, how in self.found.items() if how.policy not in REALTIME]
        return {"audio": own, "background": list(self.background)}

    def realtime_priority(self) -> int | None:
        """The lowest priority that a program gave an audio thread itself; None where none did."""
        given = [how.priority for how in self.found.values() if how.policy in REALTIME]
        return min(given, default=None)

    def readings(self) -> dict[str, Reading]:
        """The most any audio thread ran and waited, and the busiest neighbour in its interpreter.

        `audio.utilisation`, `audio.run_delay_share` and `audio.run_delay_per_wake_ms` are the
        highest of any audio thread; `audio.interpreter_share` is how much the busiest other
        thread of a process with an interpreter ran or waited to run, of one that an audio thread
        belongs to: while it waits, it may hold the lock as well.
        """
        playing = [self._activity[thread] for thread in self.found if thread in self._activity]
        if not playing:
            names = ("utilisation", "run_delay_share", "run_delay_per_wake_ms")
            return {f"audio.{name}": NOT_SEEN for name in names}
        delays_ms = [1000.0 * each.run_delay_share / max(each.wakes_per_s, 1.0) for each in playing]
        return {
            "audio.threads": Value(float(len(playing))),
            "audio.utilisation": Value(max(each.utilisation for each in playing)),
            "audio.run_delay_share": Value(max(each.run_delay_share for each in playing)),
            "audio.run_delay_per_wake_ms": Value(max(delays_ms)),
            "audio.interpreter_share": Value(self._interpreter_share(playing)),
        }

    def _interpreter_share(self, playing: Iterable[Activity]) -> float:
        hosts = {each.process for each in playing if self._is_interpreter(each.process)}
        beside = [
            activity.utilisation + activity.run_delay_share
            for thread, activity in self._activity.items()
            if activity.process in hosts and thread not in self.found
        ]
        return max(beside, default=0.0)

    def _is_interpreter(self, pid: int) -> bool:
        known = self._interpreters.get(pid)
        if known is None:
            maps = read_bytes(Path(f"/proc/{pid}/maps"))
            known = self._interpreters[pid] = any(each in maps for each in INTERPRETERS)
        return known


def _plays(activity: Activity, cycles_per_s: float) -> bool:
    """Whether a thread looks like one that is woken once a cycle for a part of it."""
    wakes = activity.wakes_per_s
    if not SLOWEST * cycles_per_s <= wakes <= FASTEST * cycles_per_s:
        return False
    rests = activity.utilisation <= BUSIEST
    briefly = activity.utilisation / wakes <= BUSIEST / cycles_per_s
    wants_little = activity.utilisation + activity.run_delay_share <= RESTING
    return rests and briefly and (wants_little or activity.preemptions_per_s <= PREEMPTED * wakes)
