"""A JACK server and its clients as a plant: somebody else's pipeline, watched and turned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from controller.errors import PlantError
from controller.linux.process_id import ProcessId
from controller.plants.audio_server.plant import AudioServerPlant
from controller.plants.audio_server.state import ServerState
from controller.plants.jack.monitor import FRAMES_COUNTED, OF_PIPEWIRE
from controller.plants.pipewire.plant import PipeWirePlant
from controller.plants.plant import AttachedPlant, Surroundings
from controller.plants.programs.processes import Search, playing_with
from controller.plants.threads.audio_threads import Rates
from policies.observation import BlockCounts, Missing, Observation, Reading, Value, reading

SLACK_CYCLES = 2
"""So many cycles may be about to begin when a line is written, or made up for afterwards."""


@dataclass(frozen=True, slots=True)
class JackState(ServerState):
    """A line of the monitor; `frames` counts those of cycles that have begun.

    `server` is the server's process and its start.
    """

    server: str
    frames: int
    realtime: bool
    dsp_load: float
    xruns: int
    graph: int
    gap_ms: float
    freewheel: bool

    @property
    def position(self) -> int:
        """The first frame of the cycle."""
        return self.frames

    @property
    def identity(self) -> str:
        """The process."""
        return self.server

    @property
    def no_deadline(self) -> str:
        """An export plays as fast as it can."""
        return "the server freewheels" if self.freewheel else ""

    @property
    def process(self) -> ProcessId | None:
        """The same; None where it cannot be seen from here."""
        pid, _, start_time = self.server.partition(":")
        return ProcessId(int(pid), int(start_time)) if start_time else None


class JackPlant(AudioServerPlant[JackState]):
    """Joins the server as a client without a process callback, so that no cycle waits for us.

    A cycle is missed where the server counts an xrun, where changing the period left nothing
    played, or where it did not begin: after a stall that is one xrun, and many cycles.
    """

    name = "jack"
    monitor = "controller.plants.jack.monitor"
    start_patience_s = 5.0
    silent_s = 1.5
    no_streams = Missing("JACK counts no streams")

    def __init__(self, surroundings: Surroundings) -> None:
        self._server_name = os.environ.get("JACK_DEFAULT_SERVER", "default")
        self._search = Search(self._find_members)
        super().__init__(surroundings)

    def _state(self, line: Mapping[str, Any]) -> JackState:
        return JackState(**line)

    def _take(self, before: JackState) -> None:
        if self._server.graph != before.graph:
            self._search.renew()

    def _look_anew(self) -> None:
        self._search.renew()

    def _interval(self, seen: Observation, before: JackState) -> Observation:
        now = self._server
        counts, xruns = _counts(before, now)
        elapsed_s = (now.time_ns - before.time_ns) / 1e9
        readings: dict[str, Reading] = dict(seen.readings)
        readings["audio.dsp_load"] = reading(now.dsp_load, minimum=0.0)
        if elapsed_s > 0.0:
            readings["audio.xruns_per_s"] = Value(xruns / elapsed_s)
        blocks = counts if counts.submitted else None
        return replace(seen, blocks=blocks, readings=MappingProxyType(readings))

    def _rates(self) -> Mapping[ProcessId, Rates]:
        """All are woken once a cycle; looked for after each change of the graph, now and then."""
        members = self._allowed(self._search.processes())
        return dict.fromkeys(members, (1000.0 / self._server.period_ms,))

    def _find_members(self) -> tuple[ProcessId, ...]:
        members = playing_with(self._server_name, self._server.process)
        return tuple(each for each in members if each.pid not in self.helpers())

    def _address(self) -> tuple[Path, str]:
        """Each user has a server of each name, but for those that serve all users."""
        whose = "" if "JACK_PROMISCUOUS_SERVER" in os.environ else f"{os.getuid()}_"
        return Path("/dev/shm"), f"{whose}{self._server_name}"  # where JACK has its semaphores

    def _places(self) -> tuple[str, ...]:
        return (f"JACK_DEFAULT_SERVER={self._server_name}",)


def attach(surroundings: Surroundings) -> AttachedPlant:
    """The JACK server; where the libjack found here is that of PipeWire, its server instead.

    Raises PlantError where neither answers.
    """
    why, remedy = OF_PIPEWIRE
    try:
        return JackPlant(surroundings)
    except PlantError as error:
        if error.why != why:
            raise
    try:
        plant = PipeWirePlant(surroundings)
    except PlantError as error:
        raise PlantError("jack", f"{why}, and {error.why}", error.remedy) from error
    surroundings.say(f"{why}; going on as with {remedy}")
    return plant


def _counts(before: JackState, now: JackState) -> tuple[BlockCounts, int]:
    """Cycles between two lines, those of them that were missed, and the xruns alone.

    A monitor that was started again counts xruns and gaps from the beginning. Of the time between
    two servers nothing is known.
    """
    if now.server != before.server:
        return BlockCounts(on_time=0), now.xruns
    again = now.xruns < before.xruns or now.gap_ms < before.gap_ms
    xruns = now.xruns if again else now.xruns - before.xruns
    gap_ms = now.gap_ms if again else now.gap_ms - before.gap_ms
    elapsed_ms = (now.time_ns - before.time_ns) / 1e6
    cycles = round(max(0.0, elapsed_ms) / now.period_ms)
    begun = (now.frames - before.frames) % FRAMES_COUNTED / now.period_frames
    absent = round(cycles - begun) if cycles - begun > SLACK_CYCLES else 0
    missed = min(cycles, max(absent, xruns + round(gap_ms / now.period_ms)))
    return BlockCounts(on_time=cycles - missed, lost=missed), xruns
