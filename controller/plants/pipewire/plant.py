"""A PipeWire server and its clients as a plant: somebody else's sound, watched and turned."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from controller.linux.process_id import ProcessId
from controller.plants.audio_server.original_setting import OriginalSetting
from controller.plants.audio_server.period_knob import LONGEST_PERIOD
from controller.plants.audio_server.plant import AudioServerPlant
from controller.plants.pipewire.command_line import places, socket_path
from controller.plants.pipewire.quantum import PLAYED
from controller.plants.pipewire.state import PipeWireState
from controller.plants.plant import Surroundings
from controller.plants.threads.rhythm import Rates
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
        return PipeWireState.of(line)

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
        """Clients are woken by the drivers that they follow, the server's threads by all."""
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
        """Why not: a quantum is forced on all devices, and over one that a program has locked."""
        now, found = self._server, self._period.found or self._server
        if now.locked_by:
            return f"{now.locked_by} has locked the quantum"
        before = {each.id: each.cycles_per_s for each in found.drivers}
        forced = now.forced_frames != found.forced_frames
        own = [before.get(each.id, None if forced else each.cycles_per_s) for each in now.drivers]
        return OWN_PERIODS if len(set(own)) > 1 else ""

    def _longest_period(self) -> int:
        """The longest quantum that the server lets its clients ask for, frames."""
        return min(LONGEST_PERIOD, self._server.longest_frames or LONGEST_PERIOD)

    def _address(self) -> tuple[Path, str]:
        path = socket_path(os.environ.get("PIPEWIRE_REMOTE") or "pipewire-0")
        return path.parent, path.name

    def _places(self) -> tuple[str, ...]:
        return places()

    def _setting_for(self, frames: int) -> int:
        """The quantum to force; for the period that was found, what was forced then, or none."""
        found = self._period.found or self._server
        return found.setting if frames == found.period_frames else frames

    def _restoring(self, original: OriginalSetting) -> tuple[str, ...]:
        played = (self._period.found or self._server).period_frames
        return (*super()._restoring(original), PLAYED, str(played))


def _quantiles(times_ms: list[float], why_none: Missing) -> Quantiles:
    if not times_ms:
        return Quantiles(*(why_none,) * 4)
    return Quantiles(*(Value(float(each)) for each in np.quantile(times_ms, (0.5, 0.95, 0.99, 1))))
