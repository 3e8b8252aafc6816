"""The state of an audio server, as a line of its monitor describes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeVar

FREEWHEELS = "the server freewheels"
"""Reason that no deadline holds: the server plays as fast as it can, as for an export."""


@dataclass(frozen=True, slots=True)
class ServerState(ABC):
    """A line of the monitor.

    `time_ns` is of the monotonic clock, `joined` how many clients that play have joined so far.
    """

    time_ns: int
    period_frames: int
    sample_rate_hz: int
    joined: int

    @property
    @abstractmethod
    def position(self) -> int:
        """A number that changes whenever a cycle begins."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """A name of this start of the server, which another start does not share."""

    @property
    def setting(self) -> int:
        """The value that is asked for, and restored, where the period is turned."""
        return self.period_frames

    @property
    def no_deadline(self) -> str:
        """Why no cycle is due (the server freewheels, nothing plays); empty where one is."""
        return ""

    @property
    def freewheels(self) -> bool:
        """Whether any of its drivers plays as fast as it can, whatever the others do."""
        return False

    @property
    def driver(self) -> str:
        """A name of the drivers of the cycles, where those may change while the server runs."""
        return ""

    @property
    def counted_ns(self) -> int:
        """The monotonic time up to which cycles are counted."""
        return self.time_ns

    @property
    def period_ms(self) -> float:
        """How long a cycle lasts."""
        return 1000.0 * self.period_frames / self.sample_rate_hz


State = TypeVar("State", bound=ServerState)
