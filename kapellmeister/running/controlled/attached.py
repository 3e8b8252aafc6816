"""A plant that others started under control: attached to, and known by what is observed."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from controller import plugins
from controller.config.config import Config
from controller.plants.plant import AttachedPlant, Plant, Surroundings
from controller.plants.threads.knob import KNOB as THREADS
from kapellmeister.machine.other_managers import ManagerWatch
from kapellmeister.running.controlled.access import (
    check_access,
    tell_missing,
    tell_programs,
)
from kapellmeister.running.controlled.controlled import Attach, Controlled, no_warning
from kapellmeister.running.controlled.observed import Observed
from kapellmeister.running.options import RunOptions


@dataclass(frozen=True, slots=True)
class AttachedProgram:
    """A plant by its entry point; it plays on before and after the run."""

    options: RunOptions
    config: Config
    acting: frozenset[str] | None

    @property
    def duration_s(self) -> float | None:
        """Seconds for which it is controlled; None without end."""
        return self.options.duration_s

    @property
    def limit_s(self) -> float:
        """Seconds for which it is controlled; infinite without end."""
        return self.duration_s or math.inf

    def check(self) -> None:
        """Raise ProcessClosedError for a program that may not be looked into, PlantError for none.

        See `check_access`.
        """
        check_access(self.options.plant, self.config.sidecar, self.options.named_at)

    def made_ready(
        self, directory: Path, stopping: Callable[[], bool], say: Callable[[str], None]
    ) -> AbstractContextManager[Attach]:
        """The plant as it is: it plays already, and nothing has to be started."""
        del directory, stopping, say
        return nullcontext(self._attach)

    def _attach(self, given: Surroundings) -> Controlled:
        plant = self._plant(given)
        tell_missing(given.config.sidecar, given.say)
        tell_programs(given.config.sidecar, given.named_at, given.say)
        observed = Observed(plant.counted)
        return Controlled(
            plant,
            objective=given.config.objective.for_deadline(plant.deadline_ms),
            summary=observed.summary,
            deadline_ms=lambda: plant.deadline_ms,
            warn=ManagerWatch(given.say).warn if self._schedules(plant) else no_warning,
            helpers=plant.helpers,
            instruments=(observed,),
        )

    def _plant(self, given: Surroundings) -> AttachedPlant:
        needs = plugins.members(AttachedPlant)
        made: AttachedPlant = plugins.make("plants", self.options.plant, needs, given)
        return made

    def _schedules(self, plant: Plant) -> bool:
        """Whether threads are rescheduled, which other managers may change again."""
        return THREADS in plant.knobs() and (self.acting is None or THREADS in self.acting)
