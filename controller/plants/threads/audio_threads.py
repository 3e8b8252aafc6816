"""The threads of programs that are not ours: which of them play, and what keeps them from it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from controller.errors import ThreadGoneError
from controller.linux import scheduling
from controller.linux.process_access import SECURITY_MODULE, hidden, owner_obstacle
from controller.linux.process_id import ProcessId, has_ended, lives
from controller.linux.scheduling import REALTIME, Scheduling, ThreadId
from controller.plants.programs.processes import read_bytes
from controller.plants.threads.rhythm import (
    ALMOST_NEVER,
    ALWAYS,
    BUSIEST,
    RAREST,
    Rates,
    awaits_lock,
    keeps_time,
    together,
)
from controller.sensors.threads import Activity, ThreadActivitySensor
from policies.observation import Missing, Reading, Value

INTERPRETERS = (b"libpython", b"/python")
OF_THREADS = ("audio.utilisation", "audio.run_delay_share", "audio.run_delay_per_wake_ms")
"""Names of readings that take an audio thread."""
READINGS = (*OF_THREADS, "audio.laggard_utilisation")
"""Names of readings that are always told."""
NOT_SEEN = Missing("no audio thread is known yet")
NOT_DRIVEN = Missing("no driver at work wakes the audio threads")


@dataclass(slots=True)
class WatchedThreads:
    """Finds the audio threads among those of the players by how they wake and sleep.

    A thread plays where it keeps time with any of the drivers that its process serves, or with
    all of them together. Found once, it stays an audio thread for as long as it lives, unless it
    turns out to hold up another of its interpreter. One that its program had made real-time itself,
    or that belongs to another user, is watched and never scheduled. While threads are hidden they
    stay as they are, and `hidden` is why nothing is read.
    """

    sensor: ThreadActivitySensor = field(default_factory=ThreadActivitySensor)
    found: dict[ThreadId, Scheduling] = field(default_factory=dict)
    background: tuple[ThreadId, ...] = ()
    hidden: Missing | None = None
    _activity: Mapping[ThreadId, Activity] = field(default_factory=dict)
    _interpreters: dict[ProcessId, bool] = field(default_factory=dict)
    _rates: Mapping[ProcessId, Rates] = field(default_factory=dict)
    _foreign: dict[ThreadId | ProcessId, bool] = field(default_factory=dict)

    def look(
        self,
        players: Mapping[ProcessId, Rates],
        background: Collection[ProcessId],
        never: Collection[int] = (),
    ) -> None:
        """Watch these processes, each at the rates at which its threads may be woken.

        `never` are numbers of threads that play in no case, however they wake.
        """
        self._rates = {process: together(rates) for process, rates in players.items()}
        seldom = {each: RAREST * min(rates, default=inf) for each, rates in self._rates.items()}
        read = self.sensor.read(seldom)
        self._activity = {thread: how for thread, how in read.items() if thread.tid not in never}
        living = {activity.process for activity in self._activity.values()}
        self._interpreters = {each: so for each, so in self._interpreters.items() if each in living}
        candidates = {
            thread
            for thread, activity in self._activity.items()
            if thread in self.found or self._may_play(activity)
        }
        candidates |= self._starving(candidates)
        playing = candidates - set(self._holding_up(candidates))
        unseen = set(filter(scheduling.is_hidden, self.found.keys() - self._activity.keys()))
        self._note_hidden(unseen, (each for each in players if each not in living))
        kept = playing | unseen
        self.found = {thread: how for thread, how in self.found.items() if thread in kept}
        for thread in playing - self.found.keys():
            with contextlib.suppress(ThreadGoneError):
                self.found[thread] = scheduling.read(thread)
        self._look_at_background(background)

    def _look_at_background(self, processes: Collection[ProcessId]) -> None:
        self.background = tuple(
            thread
            for process in processes
            for thread in scheduling.threads_of(process)
            if not self._is_foreign(process, process.pid)
        )
        known = {*self.found, *processes}
        self._foreign = {each: so for each, so in self._foreign.items() if each in known}

    def rest(self, players: Iterable[ProcessId]) -> None:
        """Watch on without judging: while no deadline holds, no thread keeps time with cycles."""
        seen = self.sensor.read(dict.fromkeys(players, inf))
        self.found = {
            thread: how
            for thread, how in self.found.items()
            if thread in seen or scheduling.is_hidden(thread)
        }
        self._activity = {}

    def _note_hidden(self, threads: Collection[ThreadId], unseen: Iterable[ProcessId]) -> None:
        """Note why threads are not seen that were found, or processes that may have some."""
        if not threads and all(lives(each) or has_ended(each) for each in unseen):
            self.hidden = None
        elif self.hidden is None:
            why, _ = hidden() or SECURITY_MODULE
            self.hidden = Missing(f"the audio threads are not seen: {why}")

    def reread(self, ours: Callable[[ThreadId], bool]) -> None:
        """See how those threads are scheduled now that are not ours to schedule."""
        for thread in [each for each in self.found if not ours(each)]:
            with contextlib.suppress(ThreadGoneError):
                self.found[thread] = scheduling.read(thread)

    def classes(self) -> dict[str, list[ThreadId]]:
        """The threads that may be scheduled, by class of work."""
        own = [
            thread
            for thread, how in self.found.items()
            if how.policy not in REALTIME and not self._is_foreign(thread, thread.tid)
        ]
        return {"audio": own, "background": list(self.background)}

    def realtime_priority(self) -> int | None:
        """The lowest priority that a program gave an audio thread itself; None where none did."""
        given = [how.priority for how in self.found.values() if how.policy in REALTIME]
        return min(given, default=None)

    def readings(self) -> dict[str, Reading]:
        """The most any audio thread ran and waited, and the busiest neighbour in its interpreter.

        `audio.utilisation`, `audio.run_delay_share` and `audio.run_delay_per_wake_ms` are the
        highest of any audio thread; `audio.interpreter_share` is how much the busiest other
        thread of an interpreter ran or waited to run, in which an audio thread wakes as if it
        waited for the lock as well: the other may hold it while it waits itself.
        `audio.laggard_utilisation` is the most that any thread ran of a process in which none
        seems to play: one whose work does not fit never sleeps, and cannot be told from one that
        only computes.
        """
        if self.hidden is not None:
            return dict.fromkeys(READINGS, self.hidden)
        active = [thread for thread in self.found if thread in self._activity]
        playing = [self._activity[thread] for thread in active]
        laggards = [activity.utilisation for _, activity in self._beside(active)]
        laggard: dict[str, Reading] = {
            "audio.laggard_utilisation": Value(max(laggards, default=0.0))
        }
        if not playing:
            return laggard | dict.fromkeys(OF_THREADS, NOT_SEEN)
        delays_ms = [self._delay_ms(each) for each in playing if self._rates[each.process]]
        return laggard | {
            "audio.threads": Value(float(len(playing))),
            "audio.utilisation": Value(max(each.utilisation for each in playing)),
            "audio.run_delay_share": Value(max(each.run_delay_share for each in playing)),
            "audio.run_delay_per_wake_ms": Value(max(delays_ms)) if delays_ms else NOT_DRIVEN,
            "audio.interpreter_share": Value(self._interpreter_share(playing)),
        }

    def _delay_ms(self, activity: Activity) -> float:
        """How long a thread waited whenever it woke, at the rate of the fastest driver of all.

        What a thread waits for that serves a slower one is a smaller part of its period. One that
        has only just begun to play woke hardly at all.
        """
        rates = self._rates[activity.process]
        own = max(rates[:-1] or rates)  # the last is their sum, where there are several
        fastest = max(max(each[:-1] or each) for each in self._rates.values() if each)
        wakes_per_s = max(activity.wakes_per_s, RAREST * min(rates))
        return 1000.0 * activity.run_delay_share / wakes_per_s * own / fastest

    def _interpreter_share(self, playing: Iterable[Activity]) -> float:
        hosts = {
            each.process
            for each in playing
            if awaits_lock(each, self._rates[each.process]) and self._is_interpreter(each.process)
        }
        beside = [
            activity.demand_share
            for thread, activity in self._activity.items()
            if activity.process in hosts and thread not in self.found
        ]
        return max(beside, default=0.0)

    def _may_play(self, activity: Activity) -> bool:
        """Whether a thread keeps time with any driver that its process serves."""
        process = activity.process
        return any(
            keeps_time(activity, each, lambda: self._is_interpreter(process))
            for each in self._rates[process]
        )

    def _starving(self, candidates: Iterable[ThreadId]) -> set[ThreadId]:
        """The thread most likely to play, of each process in which none seems to.

        Late with every cycle, this one hardly ever sleeps, and looks as if it computed.
        """
        likeliest: dict[ProcessId, ThreadId] = {}
        for thread, activity in self._beside(candidates):
            kept_waiting = activity.demand_share > ALWAYS and activity.utilisation <= BUSIEST
            slowest = min(self._rates[activity.process], default=inf)
            if kept_waiting and activity.wakes_per_s >= ALMOST_NEVER * slowest:
                other = likeliest.setdefault(activity.process, thread)
                if activity.wakes_per_s > self._activity[other].wakes_per_s:
                    likeliest[activity.process] = thread
        return set(likeliest.values())

    def _beside(self, playing: Iterable[ThreadId]) -> Iterator[tuple[ThreadId, Activity]]:
        """The threads of processes in which none of these is."""
        processes = {self._activity[thread].process for thread in playing}
        for thread, activity in self._activity.items():
            if activity.process not in processes:
                yield thread, activity

    def _holding_up(self, candidates: Iterable[ThreadId]) -> Iterator[ThreadId]:
        """The candidates that compute, and yield their interpreter's lock whenever another plays.

        They wake as often as that one. But they run or could nearly all the time, and it does
        not, since it sleeps until it has the lock.
        """
        by_process: dict[ProcessId, dict[ThreadId, float]] = {}
        for thread in candidates:
            activity = self._activity[thread]
            by_process.setdefault(activity.process, {})[thread] = activity.demand_share
        for process, demand_shares in by_process.items():
            limit = max(ALWAYS, 2.0 * min(demand_shares.values()))
            computing = [thread for thread, share in demand_shares.items() if share > limit]
            if computing and self._is_interpreter(process):
                yield from computing

    def _is_foreign(self, whose: ThreadId | ProcessId, number: int) -> bool:
        """Whether a thread belongs to a user whose threads the kernel would not let us change."""
        known = self._foreign.get(whose)
        if known is None:
            known = self._foreign[whose] = owner_obstacle(number) is not None
        return known

    def _is_interpreter(self, process: ProcessId) -> bool:
        known = self._interpreters.get(process)
        if known is None:
            maps = read_bytes(Path(f"/proc/{process.pid}/maps"))
            known = self._interpreters[process] = any(each in maps for each in INTERPRETERS)
        return known
