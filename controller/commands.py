"""What a person may ask of a running controller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pause:
    """Turn a knob (None: any) no more, or only never back (`shrink_only`).

    It ends at `until_s`, seconds since the epoch; None: with a Resume.
    """

    knob: str | None = None
    shrink_only: bool = False
    until_s: float | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Turn a knob (None: all) again, and take the value it now has as found."""

    knob: str | None = None


@dataclass(frozen=True, slots=True)
class Restore:
    """Put a knob (None: all) back as it was found, and leave it alone until resumed."""

    knob: str | None = None


Command = Pause | Resume | Restore

UNKNOWN_KNOB = "there is no knob"
"""How an answer begins that refuses a command for a knob the plant does not have."""


class CommandSource(Protocol):
    """Where commands come from, and where their answers go. Neither method waits."""

    def take(self) -> Sequence[tuple[int, Command]]:
        """The commands that came since the last call, each with an id for its answer."""
        ...

    def answer(self, command: int, text: str) -> None:
        """What came of a command, in one line."""
        ...


class NoCommands:
    """A controller that nobody can reach."""

    def take(self) -> Sequence[tuple[int, Command]]:
        """Nothing, ever."""
        return ()

    def answer(self, command: int, text: str) -> None:
        """Nobody asked."""
