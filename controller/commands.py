"""Commands that a person may give a running controller."""

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
    """Restore a knob (None: all) as it was found, and leave it alone until resumed."""

    knob: str | None = None


Command = Pause | Resume | Restore

UNKNOWN_KNOB = "there is no knob"
"""Beginning of the answer to a command for a knob that the plant does not have."""


class CommandSource(Protocol):
    """Where commands come from, and where their answers go. Neither method waits."""

    def take(self) -> Sequence[tuple[int, Command]]:
        """The commands that came since the last call, each with an id for its answer."""
        ...

    def answer(self, command: int, text: str) -> None:
        """Take the answer to a command, in one line."""
        ...
