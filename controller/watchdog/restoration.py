"""Restoring threads as they were found, those that inherited from them, and settings.

What another hand set meanwhile is left as it is. Only the standard library is imported from
here, so that the watchdog stays small.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from controller.errors import SchedulingRefusedError, ThreadGoneError, ThreadHiddenError
from controller.linux.os_errors import explained
from controller.linux.process_id import read_process, ticks_since_boot
from controller.linux.scheduling import (
    REALTIME,
    Scheduling,
    ThreadId,
    identify,
    read,
    restore,
    threads_of,
)
from controller.watchdog.execution import MainThread, goes_on_as, main_thread

RestoreCommand = tuple[str, ...]
"""A command line that restores a setting of a server as it was found, where it is still ours."""
LEFT_ALONE = 3
"""Exit status of a command that found nothing of ours to restore."""
COMMAND_PATIENCE_S = 5.0
"""Seconds that one command may take."""


@dataclass(frozen=True, slots=True)
class Original:
    """How a thread was found, since when it has been ours to change, and what we set.

    `since` is in clock ticks since boot, like a thread's start: a thread of the same process
    that started later may have inherited what we set. `ours` has the last setting, and the one
    before, which may still be in force; empty where whatever is in force counts as ours. `main`
    is whose place the thread takes if it calls exec.
    """

    scheduling: Scheduling
    since: int
    ours: tuple[Scheduling, ...] = ()
    main: MainThread | None = None

    def set_to(self, wanted: Scheduling) -> Original:
        """The original, once that has been set as well."""
        return self if wanted in self.ours[-1:] else replace(self, ours=(*self.ours[-1:], wanted))

    def restored(self, now: Scheduling) -> Scheduling:
        """`now`, with each part as it was found that is as we set it."""
        ours, found = self.ours or (now,), self.scheduling
        policy = found if any(_policy(now) == _policy(each) for each in ours) else now
        return Scheduling(
            policy=policy.policy,
            priority=policy.priority,
            nice=found.nice if any(now.nice == each.nice for each in ours) else now.nice,
            cpus=found.cpus if any(now.cpus == each.cpus for each in ours) else now.cpus,
            reset_on_fork=policy.reset_on_fork,
        )


def find_original(thread: ThreadId) -> Original:
    """How the thread is found now; ThreadGoneError where it has ended."""
    return Original(read(thread), ticks_since_boot(), main=main_thread(thread))


@dataclass(frozen=True, slots=True)
class Restoration:
    """How many threads or settings were restored, and what was refused and why."""

    restored: int = 0
    refused: tuple[str, ...] = ()


def restore_threads(
    originals: Mapping[ThreadId, Original], only: Collection[ThreadId] | None = None
) -> Restoration:
    """Restore each thread that still lives or goes on after exec, and those that inherited from it.

    `only` are those of them to restore; all where it is None. Never raises for one that ended;
    one that is hidden is refused.
    """
    chosen = present(originals, only)
    originals = {**originals, **chosen}
    hidden = tuple(str(why) for thread in chosen if (why := _hidden(thread)))
    current = {thread: now for thread in chosen if (now := _read_if_alive(thread))}
    own = _restore({thread: originals[thread].restored(now) for thread, now in current.items()})
    younger = _restore(_inherited_from(originals, current))
    return Restoration(own.restored + younger.restored, hidden + own.refused + younger.refused)


def present(
    originals: Mapping[ThreadId, Original], only: Collection[ThreadId] | None = None
) -> dict[ThreadId, Original]:
    """The originals, or `only` some, each by the thread that it is of since any exec."""
    return {
        goes_on_as(thread, originals[thread].main, originals[thread].ours, originals): (
            originals[thread]
        )
        for thread in (originals if only is None else only)
    }


def restore_settings(settings: Iterable[RestoreCommand]) -> Restoration:
    """Run each command; one that fails or takes too long is reported and delays the others."""
    done, refused = 0, []
    for command in settings:
        status, why = _run(command)
        if status == 0:
            done += 1
        elif status != LEFT_ALONE:
            refused.append(f"`{' '.join(command)}`: {why}")
    return Restoration(done, tuple(refused))


def _run(command: RestoreCommand) -> tuple[int, str]:
    """The status of a command, and why it is not 0: the last line that it said, if any."""
    nowhere = subprocess.DEVNULL
    try:
        with open(os.memfd_create("said"), "rb") as said:  # noqa: PTH123 - a file without a path
            status = subprocess.run(
                command,
                stdin=nowhere,
                stdout=nowhere,
                stderr=said,  # no pipe, which what it started might keep open
                timeout=COMMAND_PATIENCE_S,
                check=False,
            ).returncode
            told = os.pread(said.fileno(), 1 << 16, 0)
    except subprocess.TimeoutExpired:
        return 1, f"timed out after {COMMAND_PATIENCE_S:g} s"
    except OSError as error:
        return 1, "; ".join(explained(error))
    last = told.decode(errors="replace").strip().rpartition("\n")[2]
    return status, last or f"exit status {status}"


def _restore(wanted: Mapping[ThreadId, Scheduling]) -> Restoration:
    restored, refused = 0, []
    for thread, scheduling in wanted.items():
        now = _read_if_alive(thread)
        if now is None or now == scheduling:
            continue
        try:
            restore(thread, scheduling)
            restored += 1
        except ThreadGoneError:
            continue
        except SchedulingRefusedError as error:
            refused.append(str(error))
    return Restoration(restored, tuple(refused))


def _read_if_alive(thread: ThreadId) -> Scheduling | None:
    try:
        return read(thread)
    except ThreadGoneError:
        return None


def _hidden(thread: ThreadId) -> ThreadHiddenError | None:
    try:
        identify(thread.tid)
    except ThreadHiddenError as error:
        return error
    except ThreadGoneError:
        return None
    return None


def _inherited_from(
    originals: Mapping[ThreadId, Original], current: Mapping[ThreadId, Scheduling]
) -> dict[ThreadId, Scheduling]:
    """How younger threads that inherited what we set would be, had they inherited what was found.

    Those of the same process, and of the processes that it started.
    """
    wanted = {}
    trees = _process_trees(current)
    for parent, now in current.items():
        original = originals[parent]
        ours = {inherited(each) for each in original.ours or (now,)}
        for thread in trees[parent]:
            younger = thread.start_time >= original.since and thread not in originals
            if younger and _read_if_alive(thread) in ours:
                wanted[thread] = inherited(original.scheduling)
    return wanted


def _process_trees(parents: Collection[ThreadId]) -> dict[ThreadId, list[ThreadId]]:
    """All threads of the process of each, and of the processes that came of it."""
    trees: dict[ThreadId, list[ThreadId]] = {}
    children = _children() if parents else {}
    for parent in parents:
        if parent not in trees:
            own = threads_of(parent.tid)
            tree = [*own, *_descendants(own, children)] if parent in own else []
            trees |= dict.fromkeys((parent, *own), tree)
    return trees


def _descendants(
    parents: Iterable[ThreadId], children: Mapping[int, list[int]]
) -> Iterator[ThreadId]:
    for child in (child for each in parents for child in children.get(each.tid, ())):
        threads = threads_of(child)
        yield from threads
        yield from _descendants(threads, children)


def _children() -> dict[int, list[int]]:
    """The processes that each has started and that live."""
    children: dict[int, list[int]] = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):  # noqa: PTH208 - names alone
        with contextlib.suppress(ThreadGoneError):
            children.setdefault(read_process(pid).parent, []).append(pid)
    return children


def _policy(scheduling: Scheduling) -> tuple[int, int]:
    """Policy and priority, without the flag that the kernel may refuse to clear."""
    return scheduling.policy, scheduling.priority


def inherited(scheduling: Scheduling) -> Scheduling:
    """How the kernel schedules a new thread whose creator is scheduled so (`man 7 sched`)."""
    if not scheduling.reset_on_fork:
        return scheduling
    realtime = scheduling.policy in REALTIME
    return Scheduling(
        policy=os.SCHED_OTHER if realtime else scheduling.policy,
        priority=0,
        nice=0 if realtime else max(0, scheduling.nice),
        cpus=scheduling.cpus,
    )
