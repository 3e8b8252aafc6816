"""A plant of any audio server: a monitor beside the server, its threads and its period."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic

from controller.errors import PlantError
from controller.linux.process_id import ProcessId
from controller.monitors.link import MonitorLink
from controller.plants.audio_server.lock import ServerLock
from controller.plants.audio_server.original_setting import OriginalSetting
from controller.plants.audio_server.period_knob import (
    LONGEST_PERIOD,
    PERIOD,
    PeriodKnob,
    PeriodRules,
)
from controller.plants.audio_server.state import State
from controller.plants.plant import Surroundings
from controller.plants.programs.programs import Programs
from controller.plants.threads.knob import KNOB, ThreadKnob
from controller.plants.threads.rhythm import Rates
from controller.sensors.cpu import MachineSensor
from policies.knobs import Knob, KnobValue, Settings
from policies.observation import Counted, Missing, Observation, Reading, Value
from policies.proposal import Refusal

AT_ONCE_S = 0.3
"""Age of a count, s, up to which it counts as one up to the tick."""


class AudioServerPlant(ABC, Generic[State]):
    """Watches an audio server from beside, so that no cycle waits for us.

    A block is a cycle. Audio threads are found by how often they wake. Deadline and periods to
    choose from are those of the server in motion, and renewed where somebody else changes them.
    Raises PlantError where there is no server at the start, which later is an event, and where
    another controller turns it.
    """

    name: ClassVar[str]
    counted: ClassVar[Counted] = "cycles"
    monitor: ClassVar[str]
    """The module of the process that listens to the server."""
    start_patience_s: ClassVar[float]
    silent_s: ClassVar[float]
    """Time without a new cycle, s, after which a server that plays counts as standing still."""
    no_streams: ClassVar[Missing]

    def __init__(self, surroundings: Surroundings) -> None:
        acts = surroundings.config.loop.acting(ours=False) != frozenset()
        self._lock = ServerLock(self.name, *self._address()) if acts else None
        self._clock = surroundings.clock
        self._named = surroundings.config.sidecar.processes
        self._programs = Programs(self._named, surroundings.named_at)
        self._threads = ThreadKnob(surroundings)
        self._machine = MachineSensor()
        self._link = MonitorLink(self.monitor)
        lines = self._link.wait(self.start_patience_s)
        if not lines:
            self._link.close()
            self._unlock()
            raise PlantError(self.name, *self._link.error)
        self._server = self._counted = self._state(lines[-1])
        rules = PeriodRules(
            self.name,
            self._setting_for,
            self._period_obstacle,
            self._longest_period,
            self._restoring,
            self._link.tell,
        )
        self._period = PeriodKnob(rules, surroundings.lease, self._server)
        self._cycled_ns = self._server.time_ns
        self._present = self._heard = True
        self._no_deadline = self._server.no_deadline
        self._freewheels = self._server.freewheels
        self._breaks: list[str] = []
        self._counted_until_s = self._clock.now_s()
        self._look()  # the first interval tells then
        self._last_at_s = self._clock.now_s()

    @abstractmethod
    def _state(self, line: Mapping[str, Any]) -> State:
        """The state of the server that a line of the monitor describes."""

    @abstractmethod
    def _interval(self, seen: Observation, before: State) -> Observation:
        """`seen`, with what became of the cycles since `before`."""

    @abstractmethod
    def _rates(self) -> Mapping[ProcessId, Rates]:
        """Processes whose threads may play, and how often a second each may be woken."""

    @abstractmethod
    def _places(self) -> tuple[str, ...]:
        """The environment variables that say where the server is, as NAME=VALUE."""

    @abstractmethod
    def _address(self) -> tuple[Path, str]:
        """The folder in which the server is found, and by which name there."""

    def _allowed(self, members: Iterable[ProcessId]) -> tuple[ProcessId, ...]:
        """The members that the configuration names; all where it names none."""
        if not self._named:
            return tuple(members)
        allowed = self._programs.processes()
        return tuple(each for each in members if each in allowed)

    def _setting_for(self, frames: int) -> int:
        """The setting that is asked for to have a period of so many frames."""
        return frames

    def _take(self, before: State) -> None:
        """Take note of a new line, `self._server`."""

    def _threads_without_sound(self) -> Collection[int]:
        """Threads that wake in time with the cycles and play nothing: we have them woken."""
        return ()

    def _period_obstacle(self) -> str:
        """Why the period must not be turned here; empty where it may."""
        return ""

    def _longest_period(self) -> int:
        """The longest period that the server would play, frames."""
        return LONGEST_PERIOD

    def _look_anew(self) -> None:
        """Forget what was known of the server's processes: it plays again, or is another."""

    @property
    def deadline_ms(self) -> float:
        """Length of a period as found, or as somebody else set it since, milliseconds."""
        return self._period.deadline_ms

    def helpers(self) -> tuple[int, ...]:
        """Processes whose cost is that of control."""
        return () if self._link.pid is None else (self._link.pid,)

    def knobs(self) -> Mapping[str, Knob]:
        """Scheduling, and as the last resort the period."""
        return {
            KNOB: self._threads.knob(self._counted_until_s),
            PERIOD: self._period.knob(),
        }

    def observe(self) -> Observation:
        """The interval since the last call; blocks are absent while no server answers."""
        events = self._hear()
        self._period.note_in_force()
        now_s = self._clock.now_s()
        interval_s, self._last_at_s = now_s - self._last_at_s, now_s
        readings: dict[str, Reading] = dict(self._machine.read())
        readings["audio.period_ms"] = Value(self._server.period_ms)
        held = MappingProxyType(readings | self._look())
        self._period.note_lapse(lease_stood=self._threads.lease_stood)
        if self._threads.reset:
            events = (*events, f"{self.name}: {self._threads.reset}")
            self._breaks.append(self._threads.reset)
        seen = Observation(
            now_s,
            interval_s,
            self.no_streams,
            readings=held,
            events=events,
            deadline_ms=self.deadline_ms,
            no_deadline=self._why_no_deadline(),
            discontinuity="; ".join(dict.fromkeys(self._breaks)),
        )
        self._breaks.clear()
        if not self._present:
            return replace(seen, load=Missing(self._why_absent()))
        return self._count(seen)

    def in_force(self) -> Settings:
        """How the threads are scheduled, and the server's period; neither without a deadline."""
        values: dict[str, KnobValue] = {}
        if self._no_deadline:
            return Settings()
        classes = self._threads.in_force()
        if classes is not None:
            values[KNOB] = classes
        if self._present:
            values[PERIOD] = self._period.in_force()
        return Settings.of(values)

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Schedule the threads, or ask the server for a period."""
        if knob == KNOB:
            return self._threads.apply(value)
        if knob != PERIOD:
            return Refusal(knob, "no such knob")
        if not self._present:
            return Refusal(PERIOD, "no server answers", passing=True)
        return self._period.apply(value)

    def restore(self, knob: str) -> Refusal | None:
        """Restore what was found."""
        if knob == KNOB:
            self._threads.restore()
            return None
        if knob != PERIOD:
            return Refusal(knob, "no such knob")
        if not self._present:
            return Refusal(PERIOD, "no server answers", passing=True)
        return self._period.restore()

    def finished(self) -> bool:
        """Never: a server that has ended may be started again."""
        return False

    def close(self) -> None:
        """Restore the threads and the period, and leave the server."""
        self._threads.restore()
        self._link.close()  # first, lest it carry an order out afterwards
        self._period.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def _restoring(self, original: OriginalSetting) -> tuple[str, ...]:
        """The command line that restores the period, without this process."""
        home = Path(__file__).resolve().parents[3]
        monitor = (sys.executable, "-P", "-m", self.monitor, *original.arguments())
        return ("env", f"PYTHONPATH={home}", *self._places(), *monitor)

    def _look(self) -> dict[str, Reading]:
        """Watch the threads of those that play."""
        if self._no_deadline:
            return self._threads.rest(self._rates(), exporting=self._freewheels)
        never = self._threads_without_sound()
        return self._threads.look(self._rates(), never, exporting=self._freewheels)

    def _count(self, seen: Observation) -> Observation:
        """`seen`, with the cycles since the last count; none while no deadline holds.

        Where none has begun since, they are left to the next interval: whether the server stands
        still or only stalls is known then.
        """
        before, now = self._counted, self._server
        if self._no_deadline or now.position == before.position:
            self._counted = now if self._no_deadline else before
            why = Missing(self._no_deadline or "no cycle has begun")
            idle = dict.fromkeys(("audio.dsp_load", "audio.xruns_per_s"), why)
            return replace(seen, readings=MappingProxyType({**seen.readings, **idle}))
        self._counted = now
        lag_s = (time.monotonic_ns() - now.counted_ns) / 1e9
        span_s = (now.counted_ns - before.counted_ns) / 1e9
        self._counted_until_s = seen.time_s
        if lag_s > AT_ONCE_S or span_s > seen.interval_s + AT_ONCE_S:
            self._counted_until_s -= lag_s
            span = (self._counted_until_s - span_s, self._counted_until_s)
            seen = replace(seen, counted_s=span)
        return self._interval(seen, before)

    def _hear(self) -> tuple[str, ...]:
        """Take what the monitor said; what became of the server meanwhile."""
        lines = self._link.newest()
        events = [f"{self.name}: {line['refused']}" for line in lines if "refused" in line]
        self._no_deadline = self._server.no_deadline
        self._freewheels = self._server.freewheels
        for state in (self._state(line) for line in lines if "time_ns" in line):
            events += self._hear_of(state)
            self._heard = True
        self._heard = self._heard and self._link.pid is not None
        was_present, self._present = self._present, self._is_recent()
        if was_present and not self._present:
            events.append(f"{self.name}: the server is gone or stands still: {self._why_absent()}")
        if self._present and not was_present:
            events.append(f"{self.name}: the server plays again")
            self._breaks.append("the server plays again")
            self._counted = self._server
            self._look_anew()
        return tuple(events)

    def _hear_of(self, state: State) -> list[str]:
        """Take one line; what is new in it."""
        before, self._server = self._server, state
        if state.position != before.position or state.no_deadline:
            self._cycled_ns = state.time_ns
        self._take(before)
        self._no_deadline = self._no_deadline or state.no_deadline
        self._freewheels = self._freewheels or state.freewheels
        if state.no_deadline != before.no_deadline:
            self._breaks.append(state.no_deadline or "a deadline holds again")
            self._counted = state
        if state.identity != before.identity:
            self._counted = state
            self._breaks.append("another server plays")
            self._look_anew()
        elif not state.no_deadline:
            self._compare(before)
        came_of_it = self._period.see(state)
        return [f"{self.name}: {came_of_it}"] if came_of_it else []

    def _compare(self, before: State) -> None:
        """Note what makes cycles before and after this line no match for each other."""
        now = self._server
        if now.freewheels != before.freewheels:
            self._breaks.append("an export has begun" if now.freewheels else "an export has ended")
        if now.joined > before.joined:
            self._breaks.append("a client has joined")
        changed = (now.period_frames, now.sample_rate_hz) != (
            before.period_frames,
            before.sample_rate_hz,
        )
        is_other = now.driver != before.driver or (changed and not self._period.asked_for(now))
        if is_other and not before.no_deadline:
            self._breaks.append("another driver, rate or period")
            self._counted = now

    def _why_no_deadline(self) -> str:
        """Empty where one holds; a server that ended in freewheel does not freewheel any more."""
        return self._why_absent() if self._no_deadline and not self._present else self._no_deadline

    def _why_absent(self) -> str:
        return self._link.error[0] if self._link.pid is None else "no cycle has begun"

    def _is_recent(self) -> bool:
        """Whether a cycle has begun not long ago, or none is due, as the monitor says."""
        silent_s = (time.monotonic_ns() - self._cycled_ns) / 1e9
        return self._heard and silent_s < self.silent_s
