"""Commands to a controller that runs in another terminal."""

from __future__ import annotations

import time
from pathlib import Path

from controller.commands import UNKNOWN_KNOB, Command, Pause, Restore, Resume
from controller.errors import ConfigurationError, NotRunningError
from controller.journal.command_queue import CommandQueue
from controller.journal.database import Database
from controller.journal.state_directory import StateDirectory
from kapellmeister.terminal.duration import seconds

PATIENCE_S = 10.0
LONGEST_PAUSE_S = 365 * 86_400.0


def pause(
    knob: str | None = None,
    state_directory: Path | None = None,
    *,
    shrink_only: bool = False,
    until_s: float | None = None,
) -> str:
    """Tell the running controller to leave a knob alone, or all of them; see `send`.

    `until_s` is in seconds since the epoch; None: until `resume`.
    """
    return send(Pause(knob, shrink_only, until_s), state_directory)


def resume(knob: str | None = None, state_directory: Path | None = None) -> str:
    """Let a paused controller act again, from the settings then in force; see `send`."""
    return send(Resume(knob), state_directory)


def restore(knob: str | None = None, state_directory: Path | None = None) -> str:
    """Restore what the controller found, and leave it so until `resume`; see `send`."""
    return send(Restore(knob), state_directory)


def send(command: Command, state_directory: Path | None = None) -> str:
    """Hand a command to the running controller and return its answer.

    Raises NotRunningError where none runs in the state directory, or none answers, and
    ConfigurationError for a knob that its plant does not have.
    """
    directory = StateDirectory(state_directory)
    if directory.holder() is None:
        raise NotRunningError(directory.path)
    database = Database.existing(directory.journal_path, writable=True)
    try:
        queue = CommandQueue(database)
        answer = queue.wait(queue.send(command), PATIENCE_S)
    finally:
        database.close()
    if answer is None:
        raise NotRunningError(directory.path)
    if answer.startswith(UNKNOWN_KNOB):
        raise ConfigurationError("command line", "--knob", answer, "name one of these")
    return answer


def until_s(duration: str | None) -> float | None:
    """The end of a pause of `90s`, `15m`, `2h` or `1d` from now, seconds since the epoch."""
    if duration is None:
        return None
    paused_s = seconds("--for", duration)
    if paused_s > LONGEST_PAUSE_S:
        why = f"{duration} is longer than a year"
        raise ConfigurationError(
            "command line", "--for", why, "leave it out to pause until resumed"
        )
    return time.time() + paused_s
