"""What the monitor of an audio server tells of it, a line at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeVar


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
        """What changes whenever a cycle begins."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """By what the server is known, which another start of it does not share."""

    @property
    def setting(self) -> int:
        """What is asked for, and put back, where the period is turned."""
        return self.period_frames

    @property
    def no_deadline(self) -> str:
        """Why no cycle is due (the server freewheels, nothing plays); empty where one is."""
        return ""

    @property
    def driver(self) -> str:
        """What drives the cycles, where that may change while the server runs."""
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
