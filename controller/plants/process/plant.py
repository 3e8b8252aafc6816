"""Programs that tell nothing of their sound as a plant: their threads, as the kernel sees them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from controller.errors import PlantError
from controller.linux.control_group import is_group
from controller.plants.plant import Surroundings
from controller.plants.programs.near_matches import none_runs
from controller.plants.programs.processes import others
from controller.plants.programs.programs import Programs
from controller.plants.threads.knob import KNOB, ThreadKnob
from controller.sensors.cpu import MachineSensor
from policies.knobs import Knob, KnobValue, Settings
from policies.observation import Counted, Missing, Observation, Reading
from policies.proposal import Refusal

REMEDY = "name some by --process, by name, process id or control group"


class ProcessPlant:
    """Knows of a late thread only that it waited: nobody counts blocks, nor streams.

    Audio threads are those that wake about once a period of `[pipeline]`. Raises PlantError
    where no program is named or none of them runs; later that is an event, and so it is with a
    control group, which fills and empties.
    """

    name = "process"
    counted: ClassVar[Counted] = "blocks"

    def __init__(self, surroundings: Surroundings) -> None:
        self._clock = surroundings.clock
        self._wanted = surroundings.config.sidecar.processes
        self._period_ms = surroundings.config.pipeline.period_ms
        self._threads = ThreadKnob(surroundings)
        self._machine = MachineSensor()
        self._search = Programs(self._wanted, surroundings.named_at)
        self._players = self._search.processes()
        if not self._players and not any(map(is_group, self._wanted)):
            raise PlantError(self.name, self._why_none(surroundings.named_at), REMEDY)
        self._look()  # the first interval tells then
        self._last_at_s = self._clock.now_s()

    @property
    def deadline_ms(self) -> float:
        """Length of a period by the configuration, milliseconds: no program tells its own."""
        return self._period_ms

    def helpers(self) -> tuple[int, ...]:
        """No process: the kernel tells all there is."""
        return ()

    def knobs(self) -> Mapping[str, Knob]:
        """Scheduling alone."""
        return {KNOB: self._threads.knob()}

    def observe(self) -> Observation:
        """The interval since the last call."""
        now_s = self._clock.now_s()
        interval_s, self._last_at_s = now_s - self._last_at_s, now_s
        before, self._players = self._players, self._search.processes()
        readings = self._machine.read()
        readings |= self._look()
        events = []
        if before and not self._players:
            events.append("none of the programs runs any more")
        elif self._players and not before:
            events.append("a program runs")
        if self._threads.reset:
            events.append(self._threads.reset)
        begun = "" if set(self._players) <= set(before) else "a program has begun"
        return Observation(
            now_s,
            interval_s,
            Missing("programs tell no load"),
            readings=MappingProxyType(readings),
            events=tuple(f"{self.name}: {each}" for each in events),
            discontinuity=begun or self._threads.reset,
        )

    def in_force(self) -> Settings:
        """How the audio threads are scheduled."""
        classes = self._threads.in_force()
        return Settings() if classes is None else Settings.of({KNOB: classes})

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Schedule the audio threads."""
        return self._threads.apply(value) if knob == KNOB else Refusal(knob, "no such knob")

    def restore(self, knob: str) -> Refusal | None:
        """Restore the scheduling that was found."""
        if knob != KNOB:
            return Refusal(knob, "no such knob")
        self._threads.restore()
        return None

    def _why_none(self, named_at: int | None) -> str:
        if not self._wanted:
            return "no process is named"
        return none_runs(self._wanted, others(), named_at)

    def _look(self) -> dict[str, Reading]:
        return self._threads.look(dict.fromkeys(self._players, (1000.0 / self._period_ms,)))

    def finished(self) -> bool:
        """Never: a program may be started again."""
        return False

    def close(self) -> None:
        """Restore the threads."""
        self._threads.restore()
