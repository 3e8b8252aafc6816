"""Leftovers of an earlier run: settings to restore, and a saved state to go on from."""

from __future__ import annotations

from collections.abc import Callable

from controller.journal.journal import Journal
from controller.journal.reader import JournalReader
from controller.journal.state_directory import StateDirectory
from controller.loop import Loop
from controller.watchdog import restoration
from controller.watchdog.lease import Lease
from controller.watchdog.restoration import RestoreCommand
from policies.policy import State


def restore_left_over(journal: Journal, say: Callable[[str], None]) -> tuple[RestoreCommand, ...]:
    """Put right what an earlier controller left behind; the settings where one could not be."""
    restored = restoration.restore_threads(journal.left_over()).restored
    left = journal.left_over_settings()
    settings = restoration.restore_settings(left)
    if restored:
        say(f"restored the scheduling of {restored} threads that an earlier run had left changed")
    if settings.restored:
        say(f"settings of a server restored that an earlier run left changed: {settings.restored}")
    for refused in settings.refused:
        say(f"an earlier run left a setting changed that could not be restored: {refused}")
    left = left if settings.refused else ()
    journal.keep_originals({}, left)
    return left


def keeper(journal: Journal, lease: Lease, left: tuple[RestoreCommand, ...]) -> Callable[[], None]:
    """Keeps how threads and settings were found, for the case that the watchdog dies as well.

    Beside them what an earlier run `left` that could not be restored yet.
    """
    return lambda: journal.keep_originals(lease.originals(), (*left, *lease.settings()))


def release(lease: Lease, keep: Callable[[], None], say: Callable[[str], None]) -> None:
    """Restore what is still changed, and leave what refuses to the next start."""
    for refused in lease.release().refused:
        say(f"could not be restored, which the next start tries again: {refused}")
    keep()


def was_cut_short(directory: StateDirectory) -> bool:
    """Whether the last run came to no end of its own."""
    with JournalReader(directory.journal_path) as reader:
        runs = reader.runs()
    return bool(runs) and runs[-1].ended_at_s is None


def resume(loop: Loop, saved: State, say: Callable[[str], None]) -> None:
    """Go on from the saved state of a run that was cut short; afresh where it cannot be read."""
    if saved is None:
        return
    try:
        loop.resume(saved)
    except (KeyError, ValueError) as error:
        say(f"the last run's saved state cannot be read ({error}); starting afresh")
        return
    say("the last run ended without notice; going on from its last tick")
