"""Commands from another terminal, by way of the journal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import cast

from controller.commands import Command
from controller.journal.database import Database
from controller.plain_json import from_plain, to_plain

POLL_S = 0.05
STALE_AFTER_S = 30.0
"""Seconds after which a command that nobody took has lost its sender, and is not obeyed."""


class CommandQueue:
    """Both ends of a queue: a person sends and waits, the running controller takes and answers."""

    def __init__(self, database: Database, now_s: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now_s = now_s

    def take(self) -> Sequence[tuple[int, Command]]:
        """The commands that came since the last call, in order."""
        waiting = "SELECT id, command FROM commands WHERE NOT taken AND sent_at_s > ? ORDER BY id"
        rows = list(self._database.rows(waiting, self._now_s() - STALE_AFTER_S))
        for command, _ in rows:
            self._database.execute("UPDATE commands SET taken = 1 WHERE id = ?", command)
        return [(cast(int, each), _decode(cast(str, text))) for each, text in rows]

    def answer(self, command: int, text: str) -> None:
        """Give the answer to a command."""
        self._database.execute("UPDATE commands SET answer = ? WHERE id = ?", text, command)

    def send(self, command: Command) -> int:
        """Leave a command for the running controller; its id, to wait for the answer."""
        statement = "INSERT INTO commands (command, sent_at_s) VALUES (?, ?)"
        text = json.dumps(to_plain(command))
        return self._database.execute(statement, text, self._now_s()).lastrowid or 0

    def wait(self, command: int, patience_s: float = 5.0) -> str | None:
        """The answer; None where none came in time, and then the command is withdrawn."""
        until_s = time.monotonic() + patience_s
        while (answer := self._answer_to(command)) is None and time.monotonic() < until_s:
            time.sleep(POLL_S)
        if answer is None:
            self._database.execute("DELETE FROM commands WHERE id = ? AND NOT taken", command)
        return answer

    def _answer_to(self, command: int) -> str | None:
        rows = self._database.rows("SELECT answer FROM commands WHERE id = ?", command)
        return cast(str | None, next(rows, (None,))[0])


def _decode(text: str) -> Command:
    return cast(Command, from_plain(json.loads(text), Command))
