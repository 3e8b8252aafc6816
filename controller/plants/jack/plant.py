"""A JACK server and its clients as a plant: somebody else's pipeline, watched and turned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from controller.errors import PlantError
from controller.linux.process_id import ProcessId
from controller.plants.audio_server.plant import AudioServerPlant
from controller.plants.jack.clients import playing_with
from controller.plants.jack.monitor import OF_PIPEWIRE
from controller.plants.jack.state import JackState, counts_between
from controller.plants.pipewire.plant import PipeWirePlant
from controller.plants.plant import AttachedPlant, Surroundings
from controller.plants.programs.search import Search
from controller.plants.threads.rhythm import Rates
from policies.observation import Missing, Observation, Reading, Value, reading


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
        blocks, xruns = counts_between(before, now)
        elapsed_s = (now.time_ns - before.time_ns) / 1e9
        readings: dict[str, Reading] = dict(seen.readings)
        readings["audio.dsp_load"] = reading(now.dsp_load, minimum=0.0)
        if elapsed_s > 0.0:
            readings["audio.xruns_per_s"] = Value(xruns / elapsed_s)
        counted = blocks if blocks.submitted else None
        return replace(seen, blocks=counted, readings=MappingProxyType(readings))

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
