"""A PipeWire server and its clients as a plant: somebody else's sound, watched and turned."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from controller.linux.process_id import ProcessId
from controller.plants.audio_server.period_knob import LONGEST_PERIOD
from controller.plants.audio_server.plant import AudioServerPlant
from controller.plants.audio_server.put_back import PutBack
from controller.plants.audio_server.state import ServerState
from controller.plants.pipewire.quantum import PLAYED
from controller.plants.pipewire.tools import places, socket_path
from controller.plants.plant import Surroundings
from controller.plants.threads.audio_threads import Rates
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

OWN_PERIODS = "devices play at periods of their own, and one can only be forced on all of them"
NO_CYCLE = Missing("nothing plays")
NO_TIMES = Missing("pw-top shows one cycle a second, of which there are no quantiles")


@dataclass(frozen=True, slots=True)
class DriverState:
    """A driver at work: its quantum and rate, and the processes of those that follow it."""

    id: int
    name: str
    period_frames: int
    sample_rate_hz: int
    processes: frozenset[ProcessId]

    @property
    def cycles_per_s(self) -> float:
        """How often a second it wakes them."""
        return self.sample_rate_hz / self.period_frames


@dataclass(frozen=True, slots=True)
class PipeWireState(ServerState):
    """A line of the monitor.

    `period_frames` is the quantum of the driver with the shortest period, `forced_frames` the one
    that all drivers are forced to, 0 where none is. `seen` grows with all cycles, `cycles` with
    those that were counted, up to `counted_until_ns`. `lateness_ms`, `service_ms` and `latency_ms`
    have a time for each cycle since the last line, where the tool tells. `rests` is why no cycle
    is due. `cookie` is another in each start of the server, whose process is `server`; `clients`
    are the processes of all clients that have nodes.
    """

    cycles: int
    missed: int
    seen: int
    counted_until_ns: int
    busy_share: float | None
    lateness_ms: list[float]
    service_ms: list[float]
    latency_ms: list[float]
    longest_frames: int
    forced_frames: int
    locked_by: str
    rests: str
    drivers: tuple[DriverState, ...]
    clients: frozenset[ProcessId]
    name: str
    cookie: int
    server: ProcessId | None
    helpers: list[int]

    @property
    def position(self) -> int:
        """The cycles so far, whether they are counted or not."""
        return self.seen

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
        """Without streams, PipeWire rests; an export plays as fast as it can."""
        return self.rests

    @property
    def driver(self) -> str:
        """The drivers at work, each with its rate."""
        return ", ".join(sorted(f"{each.id} {each.sample_rate_hz}" for each in self.drivers))

    @property
    def counted_ns(self) -> int:
        """What pw-top prints once a second speaks of the time before."""
        return self.counted_until_ns


class PipeWirePlant(AudioServerPlant[PipeWireState]):
    """Listens to PipeWire's own tools, and forces the quantum where nothing else helps.

    A cycle is missed where a node was not done when the next one began: an ERR of pw-top. Those of
    all drivers count alike.
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
        super().__init__(surroundings)

    def helpers(self) -> tuple[int, ...]:
        """The monitor and its tools."""
        return (*super().helpers(), *(self._server.helpers if self._link.pid else ()))

    def _state(self, line: Mapping[str, Any]) -> PipeWireState:
        objects = {
            "drivers": tuple(map(_driver, line["drivers"])),
            "clients": _processes(line["clients"]),
            "server": next(iter(_processes([line["server"]])), None),
        }
        return PipeWireState(**{**line, **objects})

    def _take(self, _: PipeWireState) -> None:
        now = self._server
        self._lateness_ms += now.lateness_ms
        self._service_ms += now.service_ms
        self._latency_ms += now.latency_ms

    def _interval(self, seen: Observation, before: PipeWireState) -> Observation:
        now = self._server
        again = now.cycles < before.cycles
        cycles = now.cycles if again else now.cycles - before.cycles
        missed = now.missed if again else now.missed - before.missed
        elapsed_s = (now.counted_ns - before.counted_ns) / 1e9
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

    def _rates(self) -> Mapping[ProcessId, Rates]:
        """Each is woken by the drivers that it follows; the server's threads by all of them."""
        now = self._server
        server = frozenset() if now.server is None else frozenset({now.server})
        rates: dict[ProcessId, Rates] = dict.fromkeys(server | now.clients, ())
        for driver in now.drivers:
            for process in server | driver.processes:
                rates[process] = (*rates.get(process, ()), driver.cycles_per_s)
        return {each: rates[each] for each in self._allowed(rates) if each.pid != os.getpid()}

    def _threads_without_sound(self) -> Collection[int]:
        """The server's main thread, which tells our tools of each cycle."""
        return () if self._server.server is None else (self._server.server.pid,)

    def _period_obstacle(self) -> str:
        """A quantum is forced on all devices, and over what a program has locked."""
        now, found = self._server, self._period.found or self._server
        if now.locked_by:
            return f"{now.locked_by} has locked the quantum"
        before = {each.id: each.cycles_per_s for each in found.drivers}
        forced = now.forced_frames != found.forced_frames
        own = [before.get(each.id, None if forced else each.cycles_per_s) for each in now.drivers]
        return OWN_PERIODS if len(set(own)) > 1 else ""

    def _longest_period(self) -> int:
        """No longer than the server lets its clients ask for."""
        return min(LONGEST_PERIOD, self._server.longest_frames or LONGEST_PERIOD)

    def _address(self) -> tuple[Path, str]:
        path = socket_path(os.environ.get("PIPEWIRE_REMOTE") or "pipewire-0")
        return path.parent, path.name

    def _places(self) -> tuple[str, ...]:
        return places()

    def _setting_for(self, frames: int) -> int:
        """The quantum; for that which was found whatever was forced then, or nothing."""
        found = self._period.found or self._server
        return found.setting if frames == found.period_frames else frames

    def _undo(self, held: PutBack) -> tuple[str, ...]:
        played = (self._period.found or self._server).period_frames
        return (*super()._undo(held), PLAYED, str(played))


def _driver(told: Mapping[str, Any]) -> DriverState:
    return DriverState(**{**told, "processes": _processes(told["processes"])})


def _processes(written: Iterable[str]) -> frozenset[ProcessId]:
    """Those that stand as `pid:start_time`; nothing stands for one that is not to be seen."""
    numbers = (each.split(":") for each in written if each)
    return frozenset(ProcessId(int(pid), int(start_time)) for pid, start_time in numbers)


def _quantiles(times_ms: list[float], why_none: Missing) -> Quantiles:
    if not times_ms:
        return Quantiles(*(why_none,) * 4)
    return Quantiles(*(Value(float(each)) for each in np.quantile(times_ms, (0.5, 0.95, 0.99, 1))))
