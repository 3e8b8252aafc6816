"""A PipeWire server and its clients as a plant: somebody else's sound, watched and turned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from controller.plants.audio_server import AudioServerPlant, ServerState
from controller.plants.pipewire.tools import places, socket_path
from controller.plants.plant import Surroundings
from controller.plants.processes import Search, identified, listening
from controller.plants.watched_threads import Rates
from controller.scheduling import ProcessId
from policies.observation import (
    NO_QUANTILES,
    BlockCounts,
    Missing,
    Observation,
    Quantiles,
    Reading,
    StageTimes,
    Value,
    reading,
)

NO_CYCLE = Missing("nothing plays")
NO_TIMES = Missing("pw-top shows one cycle a second, of which there are no quantiles")


@dataclass(frozen=True, slots=True)
class PipeWireState(ServerState):
    """A line of the monitor.

    `period_frames` is the quantum, `forced_frames` the one that all drivers are forced to, 0
    where none is. `cookie` is another in each start of the server. `lateness_ms`, `service_ms`
    and `latency_ms` have a time for each cycle since the last line, where the tool tells.
    """

    cycles: int
    missed: int
    busy_share: float | None
    lateness_ms: list[float]
    service_ms: list[float]
    latency_ms: list[float]
    forced_frames: int
    playing: bool
    name: str
    cookie: int
    clients: list[int]
    helpers: list[int]

    @property
    def position(self) -> int:
        """The cycles so far."""
        return self.cycles

    @property
    def identity(self) -> str:
        """The cookie."""
        return str(self.cookie)

    @property
    def setting(self) -> int:
        """The quantum that is forced, if any."""
        return self.forced_frames

    @property
    def no_deadline(self) -> str:
        """Without streams, PipeWire rests."""
        return "" if self.playing else NO_CYCLE.reason


class PipeWirePlant(AudioServerPlant[PipeWireState]):
    """Listens to PipeWire's own tools, and forces the quantum where nothing else helps.

    A cycle is missed where a node was not done when the next one began: an ERR of pw-top.
    """

    name = "pipewire"
    monitor = "controller.plants.pipewire.monitor"
    start_patience_s = 10.0
    silent_s = 4.0  # pw-top tells once a second, of the second before
    no_streams = Missing("what PipeWire plays is not counted in streams")

    def __init__(self, surroundings: Surroundings) -> None:
        self._lateness_ms: list[float] = []
        self._service_ms: list[float] = []
        self._latency_ms: list[float] = []
        self._search = Search(lambda: listening("pipewire", socket_path(self._server.name)))
        super().__init__(surroundings)

    def helpers(self) -> tuple[int, ...]:
        """The monitor and its tools."""
        return (*super().helpers(), *(self._server.helpers if self._link.pid else ()))

    def _state(self, line: Mapping[str, Any]) -> PipeWireState:
        return PipeWireState(**line)

    def _take(self, _: PipeWireState) -> None:
        now = self._server
        self._lateness_ms += now.lateness_ms
        self._service_ms += now.service_ms
        self._latency_ms += now.latency_ms

    def _look_anew(self) -> None:
        self._search.renew()

    def _interval(self, seen: Observation, before: PipeWireState) -> Observation:
        now = self._server
        again = now.cycles < before.cycles
        cycles = now.cycles if again else now.cycles - before.cycles
        missed = now.missed if again else now.missed - before.missed
        elapsed_s = (now.time_ns - before.time_ns) / 1e9
        readings: dict[str, Reading] = dict(seen.readings)
        readings["audio.dsp_load"] = reading(now.busy_share, minimum=0.0) if cycles else NO_CYCLE
        if elapsed_s > 0.0:
            readings["audio.xruns_per_s"] = Value(missed / elapsed_s)
        wait, compute, latency = (
            _quantiles(times_ms, NO_TIMES if cycles else NO_CYCLE)
            for times_ms in (self._lateness_ms, self._service_ms, self._latency_ms)
        )
        self._lateness_ms, self._service_ms, self._latency_ms = [], [], []
        stages = {
            "wait": StageTimes(wait, NO_QUANTILES),
            "compute": StageTimes(NO_QUANTILES, compute),
        }
        return replace(
            seen,
            blocks=BlockCounts(on_time=cycles - missed, lost=missed) if cycles else None,
            latency=latency,
            stages=MappingProxyType(stages),
            readings=MappingProxyType(readings),
        )

    def _members(self) -> tuple[ProcessId, ...]:
        members = (*self._search.processes(), *identified(self._server.clients))
        return tuple(each for each in self._allowed(members) if each.pid != os.getpid())

    def _rates(self) -> Mapping[ProcessId, Rates]:
        return dict.fromkeys(self._members(), (1000.0 / self._server.period_ms,))

    def _places(self) -> tuple[str, ...]:
        return places()

    def _setting_for(self, frames: int) -> int:
        """The quantum; for that which was found whatever was forced then, or nothing."""
        found = self._found or self._server
        return found.setting if frames == found.period_frames else frames


def _quantiles(times_ms: list[float], why_none: Missing) -> Quantiles:
    if not times_ms:
        return Quantiles(*(why_none,) * 4)
    return Quantiles(*(Value(float(each)) for each in np.quantile(times_ms, (0.5, 0.95, 0.99, 1))))
