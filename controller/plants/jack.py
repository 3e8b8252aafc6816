"""A JACK server and its clients as a plant: somebody else's pipeline, watched and turned."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from controller.errors import PlantError
from controller.metrics.cpu import MachineSensor
from controller.plants.monitor_link import MonitorLink
from controller.plants.plant import Refusal, Surroundings
from controller.plants.processes import Search, named, playing_with
from controller.plants.thread_knob import ThreadKnob
from policies.knobs import Choice, Knob, KnobValue, Settings
from policies.observation import BlockCounts, Missing, Observation, Reading, Value, reading

MONITOR = "controller.plants.jack_monitor"
START_PATIENCE_S = 5.0
SILENT_NS = 1.5e9
"""A server in which no cycle has begun for so long stands still."""
LONGEST_PERIOD = 4096
PERIOD_DISRUPTION_MS = 27.0
"""What a change of the period interrupted the sound for at worst, on a machine with two cores."""
NO_STREAMS = Missing("JACK counts no streams")


@dataclass(frozen=True, slots=True)
class _Server:
    """A line of the monitor."""

    time_ns: int
    frames: int
    period_frames: int
    sample_rate_hz: int
    realtime: bool
    dsp_load: float
    xruns: int
    graph: int
    gap_ms: float

    @property
    def period_ms(self) -> float:
        return 1000.0 * self.period_frames / self.sample_rate_hz


class JackPlant:
    """Joins the server as a client without a process callback, so that no cycle waits for us.

    A block is a cycle: it is missed where the server counts an xrun, or where changing the
    period left nothing played. Audio threads are found by how often they wake. Raises
    PlantError where there is no server at the start; later that is an event.
    """

    name = "jack"

    def __init__(self, surroundings: Surroundings) -> None:
        self._clock = surroundings.clock
        self._players = surroundings.config.sidecar.processes
        self._server_name = os.environ.get("JACK_DEFAULT_SERVER", "default")
        self._threads = ThreadKnob(surroundings)
        self._machine = MachineSensor()
        self._link = MonitorLink(MONITOR)
        lines = self._link.wait(START_PATIENCE_S)
        if not lines:
            self._link.close()
            raise PlantError(self.name, *self._link.error)
        self._found = self._server = _server(lines[-1])
        self._cycled_ns = self._server.time_ns
        self._present = True
        self._members = Search(self._find_members)
        self._searched_graph = self._server.graph
        self._threads.look(self._watched(), self._cycles_per_s())  # the first interval tells then
        self._last_at_s = self._clock.now_s()

    @property
    def deadline_ms(self) -> float:
        """One period as it was found."""
        return self._found.period_ms

    def helpers(self) -> tuple[int, ...]:
        """Processes whose cost is that of control."""
        return () if self._link.pid is None else (self._link.pid,)

    def knobs(self) -> Mapping[str, Knob]:
        """Scheduling, and as the last resort the period."""
        return {
            "thread_classes": self._threads.knob(),
            "period_frames": Knob(
                "period_frames",
                Choice(_periods(self._found.period_frames)),
                "cpu",  # as the threads: what either of them cures is seen in the same xruns
                delay_s=0.2,
                settle_s=5.0,
                disruption_ms=PERIOD_DISRUPTION_MS,
            ),
        }

    def observe(self) -> Observation:
        """The interval since the last call; blocks are absent while no server answers."""
        before, events = self._server, self._hear()
        now_s = self._clock.now_s()
        interval_s, self._last_at_s = now_s - self._last_at_s, now_s
        readings: dict[str, Reading] = dict(self._machine.read())
        readings |= self._threads.look(self._watched(), self._cycles_per_s())
        seen = Observation(now_s, interval_s, NO_STREAMS, events=events)
        if not self._present:
            why, _ = self._link.error
            return replace(seen, load=Missing(why), readings=MappingProxyType(readings))
        counts, xruns = _counts(before, self._server)
        elapsed_s = (self._server.time_ns - before.time_ns) / 1e9
        readings["audio.dsp_load"] = reading(self._server.dsp_load, minimum=0.0)
        if elapsed_s > 0.0:
            readings["audio.xruns_per_s"] = Value(xruns / elapsed_s)
        blocks = counts if counts.submitted else None
        return replace(seen, blocks=blocks, readings=MappingProxyType(readings))

    def in_force(self) -> Settings:
        """How the threads are scheduled, and the server's period."""
        values: dict[str, KnobValue] = {}
        classes = self._threads.in_force()
        if classes is not None:
            values["thread_classes"] = classes
        if self._present:
            values["period_frames"] = self._server.period_frames
        return Settings.of(values)

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Schedule the threads, or ask the server for a period."""
        if knob == "thread_classes":
            return self._threads.apply(value)
        if not self._present:
            return Refusal(knob, "no server answers")
        if not self._link.tell(f"period {value}"):
            return Refusal(knob, "the monitor of the server takes no orders now")
        return None

    def restore(self, knob: str) -> Refusal | None:
        """Put back what was found."""
        if knob == "thread_classes":
            self._threads.restore()
            return None
        return self.apply(knob, self._found.period_frames)

    def finished(self) -> bool:
        """Never: a server that has ended may be started again."""
        return False

    def close(self) -> None:
        """Put the threads and the period back, and leave the server."""
        self._threads.restore()
        if self._present and self._server.period_frames != self._found.period_frames:
            self.restore("period_frames")
            self._await_period(self._found.period_frames)
        self._link.close()

    def _await_period(self, frames: int) -> None:
        until_s = time.monotonic() + 1.0
        while self._server.period_frames != frames and time.monotonic() < until_s:
            time.sleep(0.02)
            self._hear()

    def _hear(self) -> tuple[str, ...]:
        """Take what the monitor said; what became of the server meanwhile."""
        lines = self._link.newest()
        events = [f"jack: {line['refused']}" for line in lines if "refused" in line]
        for state in (_server(line) for line in lines if "frames" in line):
            if state.frames != self._server.frames:
                self._cycled_ns = state.time_ns
            self._server = state
        was_present, self._present = self._present, self._is_recent()
        if was_present and not self._present:
            why = self._link.error[0] if self._link.pid is None else "no cycle has begun"
            events.append(f"jack: the server is gone or stands still: {why}")
        if self._present and not was_present:
            events.append("jack: the server plays again")
            self._members.renew()
        return tuple(events)

    def _is_recent(self) -> bool:
        """Whether a cycle has begun not long ago."""
        return self._link.pid is not None and time.monotonic_ns() - self._cycled_ns < SILENT_NS

    def _watched(self) -> tuple[int, ...]:
        """Processes whose threads may play, looked for after each change of the graph."""
        if self._server.graph != self._searched_graph:
            self._searched_graph = self._server.graph
            self._members.renew()
        return self._members.processes()

    def _find_members(self) -> tuple[int, ...]:
        members = playing_with(self._server_name)
        allowed = named(self._players) if self._players else members
        return tuple(pid for pid in members if pid in allowed and pid not in self.helpers())

    def _cycles_per_s(self) -> float:
        return self._server.sample_rate_hz / self._server.period_frames


def _server(line: Mapping[str, Any]) -> _Server:
    return _Server(**line)


def _counts(before: _Server, now: _Server) -> tuple[BlockCounts, int]:
    """Cycles between two lines, those of them that were missed, and the xruns alone.

    A server that was started again counts from the beginning.
    """
    again = now.xruns < before.xruns or now.gap_ms < before.gap_ms
    xruns = now.xruns if again else now.xruns - before.xruns
    gap_ms = now.gap_ms if again else now.gap_ms - before.gap_ms
    elapsed_ms = (now.time_ns - before.time_ns) / 1e6
    cycles = round(max(0.0, elapsed_ms) / now.period_ms)
    missed = min(cycles, xruns + round(gap_ms / now.period_ms))
    return BlockCounts(on_time=cycles - missed, lost=missed), xruns


def _periods(found: int) -> tuple[int, ...]:
    """The period as it was found, and its doubles."""
    periods = [found]
    while periods[-1] * 2 <= LONGEST_PERIOD:
        periods.append(periods[-1] * 2)
    return tuple(periods)
