"""The one interface of everything that can be controlled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.clock import Clock
from controller.config.config import Config
from controller.linux.permissions import Permissions
from controller.watchdog.lease import Lease
from policies.knobs import Knob, KnobValue, Settings
from policies.observation import Counted, Observation
from policies.proposal import Refusal


class Plant(Protocol):
    """An audio pipeline under control, live or simulated.

    No method blocks for longer than a fraction of a control interval; none raises for a
    plant that is slow or silent: that is an observation with missing readings. PlantError
    is raised once the plant is gone for good.
    """

    @property
    def name(self) -> str:
        """The name it is chosen by."""
        ...

    def knobs(self) -> Mapping[str, Knob]:
        """The knobs that can be turned here; they may change while the plant runs."""
        ...

    def observe(self) -> Observation:
        """An observation of the time since the last call."""
        ...

    def in_force(self) -> Settings:
        """The knobs' values as the plant has them; a knob it cannot tell is absent."""
        ...

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Ask for a value; None where the request was taken, whose effect is then observed."""
        ...

    def restore(self, knob: str) -> Refusal | None:
        """Restore what was found before the first `apply`."""
        ...

    def finished(self) -> bool:
        """Whether the plant has come to its own end."""
        ...

    def close(self) -> None:
        """Restore every knob and leave the plant."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The configuration, clock and means that a plant which others started is attached with.

    Process ids of the configuration mean programs that had begun by `named_at`, in clock ticks
    since boot: whoever wrote them cannot have known later ones. None means now.
    """

    config: Config
    clock: Clock
    lease: Lease
    permissions: Permissions
    say: Callable[[str], None] = print
    """Function that takes one line about what a user should know."""
    named_at: int | None = None


class AttachedPlant(Plant, Protocol):
    """A plant that others started; its entry point is called with `Surroundings` alone.

    The plant survives that its pipeline dies, restarts or freezes: those are events and missing
    readings. PlantError is raised where there is nothing to attach to at the start.
    """

    @property
    def deadline_ms(self) -> float:
        """Time in which a block has to be finished, ms: one period, as it was found."""
        ...

    @property
    def counted(self) -> Counted:
        """The kind of its blocks, where it counts any."""
        ...

    def helpers(self) -> tuple[int, ...]:
        """Processes that watch it for us, whose cost is that of control."""
        ...
