"""A setting of a server as it was found, restored at the end, after a crash or by the next start.

All three follow one rule: only where the same server still has what we asked it for. What another
hand set meanwhile, and a server that was started again, are left alone.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class OriginalSetting:
    """The value that was found, those that we asked for instead, and of which server.

    `ours` has what was asked for last, and what before that until the last is seen in force.
    """

    found: int
    ours: tuple[int, ...]
    server: str

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Self:
        """Read what `arguments` wrote. Ends the process with status 2 where that is malformed."""
        parser = ArgumentParser(description="Restore the period where it is still ours.")
        parser.add_argument("found", type=int)
        parser.add_argument("--if", dest="ours", type=int, nargs="+", required=True)
        parser.add_argument("--server", required=True)
        given = parser.parse_args(arguments)
        return cls(given.found, tuple(given.ours), given.server)

    def arguments(self) -> tuple[str, ...]:
        """Arguments that have a monitor restore the setting and end."""
        return (str(self.found), "--if", *map(str, self.ours), "--server", self.server)

    def is_ours(self, server: str, setting: int) -> bool:
        """Whether that server still has what we asked for."""
        return server == self.server and setting in self.ours

    def asked_for(self, setting: int) -> OriginalSetting:
        """The original, with a further value that was asked for."""
        return replace(self, ours=(*self.ours[-1:], setting))

    def seen(self, setting: int) -> OriginalSetting:
        """The original, now that a value is in force.

        Once the last one is, whatever was asked for before may be another hand's.
        """
        return replace(self, ours=self.ours[-1:]) if setting == self.ours[-1] else self
