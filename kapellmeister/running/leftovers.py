"""Leftovers of an earlier run: settings to restore, and a saved state to go on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.journal.journal import Journal
from controller.journal.reader import JournalReader
from controller.journal.state_directory import StateDirectory
from controller.linux.scheduling import ThreadId
from controller.loop import Loop
from controller.watchdog import restoration
from controller.watchdog.lease import Lease
from controller.watchdog.restoration import Original, RestoreCommand
from policies.policy import State


@dataclass(frozen=True, slots=True)
class LeftOver:
    """Threads and settings of an earlier run that could not be restored yet; else none."""

    threads: Mapping[ThreadId, Original]
    settings: tuple[RestoreCommand, ...]


def restore_left_over(journal: Journal, say: Callable[[str], None]) -> LeftOver:
    """Put right what an earlier controller left behind; what of it could not be."""
    originals, left = journal.left_over(), journal.left_over_settings()
    threads, settings = restoration.restore_threads(originals), restoration.restore_settings(left)
    if threads.restored:
        count = threads.restored
        say(f"restored the scheduling of {count} threads that an earlier run had left changed")
    if settings.restored:
        say(f"settings of a server restored that an earlier run left changed: {settings.restored}")
    for refused in settings.refused:
        say(f"an earlier run left a setting changed that could not be restored: {refused}")
    for refused in threads.refused:
        say(f"an earlier run left a thread changed that could not be restored: {refused}")
    still = LeftOver(originals if threads.refused else {}, left if settings.refused else ())
    journal.keep_originals(still.threads, still.settings)
    return still


def keeper(journal: Journal, lease: Lease, left: LeftOver) -> Callable[[], None]:
    """Keeps how threads and settings were found, for the case that the watchdog dies as well.

    Beside them what an earlier run `left` that could not be restored yet.
    """
    return lambda: journal.keep_originals(
        {**left.threads, **lease.originals()}, (*left.settings, *lease.settings())
    )


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
