"""The one interface of what a run controls, before and after it is there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from controller.loop import Instrument
from controller.plants.plant import Plant, Surroundings
from policies.objective import Objective


def no_warning() -> None:
    """No warning: nothing stands in the way of what is controlled."""


@dataclass(frozen=True, slots=True)
class Controlled:
    """A plant, what is to be achieved there, and who tells the figures of the run.

    `summary` is asked once, in the end; `deadline_ms` and `warn` (an alarm of the loop) at any
    time. `helpers` are processes that watch the plant for us, whose cost is that of control.
    """

    plant: Plant
    objective: Objective
    summary: Callable[[], dict[str, Any]]
    deadline_ms: Callable[[], float]
    warn: Callable[[], str | None] = no_warning
    helpers: Callable[[], tuple[int, ...]] = tuple
    instruments: tuple[Instrument, ...] = ()


Attach: TypeAlias = Callable[[Surroundings], Controlled]
"""Takes hold of what was made ready, once the watchdog is there to undo what is done to it."""


class Controllable(Protocol):
    """A plant that was chosen, and is neither started nor attached to yet."""

    @property
    def acting(self) -> frozenset[str] | None:
        """The knobs that are turned; None for all of them."""
        ...

    @property
    def duration_s(self) -> float | None:
        """How long the run lasts, as it is shown; None without end."""
        ...

    @property
    def limit_s(self) -> float:
        """When the loop has to end it; infinite where the plant does so by itself."""
        ...

    def check(self) -> None:
        """Raise a KapellmeisterError for what can be known to fail before anything is begun."""
        ...

    def made_ready(
        self, directory: Path, stopping: Callable[[], bool], say: Callable[[str], None]
    ) -> AbstractContextManager[Attach]:
        """Whatever has to play before control begins, and its end afterwards."""
        ...
