"""Putting a server's period back, by whoever comes to it: the end, the watchdog or the next start.

All follow one rule: only where the same server still has what we asked it for. What another hand
set meanwhile, and a server that was started again, are left alone.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class PutBack:
    """What was found of a setting, what we asked for instead, and of which server.

    `ours` has what was asked for last, and what before that until the last is seen in force.
    """

    found: int
    ours: tuple[int, ...]
    server: str

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Self:
        """The one that these `arguments` came from."""
        parser = ArgumentParser(description="Put the period back where it is still ours.")
        parser.add_argument("found", type=int)
        parser.add_argument("--if", dest="ours", type=int, nargs="+", required=True)
        parser.add_argument("--server", required=True)
        given = parser.parse_args(arguments)
        return cls(given.found, tuple(given.ours), given.server)

    def arguments(self) -> tuple[str, ...]:
        """For the command line of a monitor, which then puts the setting back and ends."""
        return (str(self.found), "--if", *map(str, self.ours), "--server", self.server)

    def is_due(self, server: str, setting: int) -> bool:
        """Whether that server still has what we asked for."""
        return server == self.server and setting in self.ours

    def asked_for(self, setting: int) -> PutBack:
        """The same, once that has been asked for as well."""
        return replace(self, ours=(*self.ours[-1:], setting))

    def seen(self, setting: int) -> PutBack:
        """The same, with that in force: what was asked for before may be another hand's now."""
        return replace(self, ours=self.ours[-1:]) if setting == self.ours[-1] else self
