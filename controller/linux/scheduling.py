"""How the kernel schedules one thread: read, changed as a whole, restored.

Only the standard library is imported from here, so that the watchdog stays small.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from controller.errors import SchedulingRefusedError, ThreadGoneError, ThreadHiddenError
from controller.linux.kernel_files import count
from controller.linux.obstacles import NICE, nice_obstacle, realtime_obstacle
from controller.linux.os_errors import explained
from controller.linux.process_access import Reason, owner_obstacle
from controller.linux.process_id import PROC, ProcessId, gone_or_hidden, lives
from policies.knobs import SchedulingClass, ThreadClass

POLICY_NAMES = {
    os.SCHED_OTHER: "OTHER",
    os.SCHED_FIFO: "FIFO",
    os.SCHED_RR: "RR",
    os.SCHED_BATCH: "BATCH",
    os.SCHED_IDLE: "IDLE",
}
"""Names of the policies that can be both taken away and restored, which SCHED_DEADLINE cannot."""

_POLICIES = {
    SchedulingClass.REALTIME: os.SCHED_FIFO,
    SchedulingClass.NORMAL: os.SCHED_OTHER,
    SchedulingClass.BATCH: os.SCHED_BATCH,
    SchedulingClass.IDLE: os.SCHED_IDLE,
}
_CLASSES = {policy: scheduling for scheduling, policy in _POLICIES.items()}

REALTIME = (os.SCHED_FIFO, os.SCHED_RR)
"""Policies whose threads run before all ordinary ones, for as long as they like."""

PRIORITY_MAX = 70
"""Highest real-time priority asked for: drivers run above it (JACK at 80, PipeWire at 88)."""
NO_SUCH_PROCESSORS = "name processors that exist and that its cpuset permits"
UNSEEN = (OSError, ValueError, IndexError)
"""Errors of a thread that lives and hides: it is closed, or what is said of it makes no sense."""
LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@dataclass(frozen=True, slots=True)
class ThreadId:
    """A thread that no later thread can be mistaken for: a reused `tid` starts later.

    `start_time` is in clock ticks since boot, as /proc has it.
    """

    tid: int
    start_time: int


@dataclass(frozen=True, slots=True)
class Scheduling:
    """All that this program may change about a thread.

    `policy` is one of `os.SCHED_*`, `priority` 1 to 99 where that is real-time and 0
    elsewhere, `nice` -20 to 19. With `reset_on_fork`, threads that it starts are scheduled
    as ordinary ones instead of inheriting real-time or a raised nice level.
    """

    policy: int
    priority: int
    nice: int
    cpus: frozenset[int]
    reset_on_fork: bool = False

    def __str__(self) -> str:
        name = POLICY_NAMES.get(self.policy, f"policy {self.policy}")
        level = str(self.priority) if self.priority else f"nice {self.nice}"
        return f"{name} {level} on cpu {','.join(map(str, sorted(self.cpus)))}"


SetPart = Callable[[int, Scheduling, Scheduling], None]
"""Setter of one part of a thread's scheduling: found so, and wanted so."""


def identify(tid: int, root: Path = PROC) -> ThreadId:
    """The thread that has this id now; ThreadGoneError where none has.

    ThreadHiddenError where it may not be seen, or what is told of it makes no sense.
    """
    try:
        with open(f"{root}/{tid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - asked for every tick, and faster
            # The name stands in brackets and may itself hold spaces and brackets.
            return ThreadId(tid, count(file.read().rpartition(b")")[2].split(maxsplit=20)[19]))
    except (FileNotFoundError, ProcessLookupError) as error:
        raise gone_or_hidden(tid, root) from error
    except UNSEEN as error:
        if _is_our_limit(error):  # which says nothing of the thread
            raise
        raise ThreadHiddenError(tid, _unseen(error)) from error


def is_hidden(thread: ThreadId) -> bool:
    """Whether it may live and cannot be seen now."""
    try:
        identify(thread.tid)
    except ThreadHiddenError:
        return True
    except ThreadGoneError:
        return False
    return False


def threads_of(process: int | ProcessId, root: Path = PROC) -> tuple[ThreadId, ...]:
    """All threads of the process that now live; none where it is gone, or another by now.

    None either where they may not be seen.
    """
    if isinstance(process, ProcessId) and not lives(process, root):
        return ()
    pid = process.pid if isinstance(process, ProcessId) else process
    try:
        tids = sorted(map(count, os.listdir(f"{root}/{pid}/task")))  # noqa: PTH208 - asked for every tick, and much faster
    except UNSEEN as error:
        if _is_our_limit(error):
            raise
        return ()
    found = []
    for tid in tids:
        with contextlib.suppress(ThreadGoneError):  # it ended since it was listed
            found.append(identify(tid, root))
    return tuple(found)


def read(thread: ThreadId) -> Scheduling:
    """How the thread is scheduled now; ThreadGoneError where it has ended."""
    if identify(thread.tid) != thread:
        raise ThreadGoneError(thread.tid)
    try:
        flags = os.sched_getscheduler(thread.tid)
        return Scheduling(
            policy=flags & ~os.SCHED_RESET_ON_FORK,
            priority=os.sched_getparam(thread.tid).sched_priority,
            nice=os.getpriority(os.PRIO_PROCESS, thread.tid),
            cpus=frozenset(os.sched_getaffinity(thread.tid)),
            reset_on_fork=bool(flags & os.SCHED_RESET_ON_FORK),
        )
    except ProcessLookupError as error:
        raise ThreadGoneError(thread.tid) from error
    except PermissionError as error:  # by a security module, or a filter of system calls
        raise ThreadGoneError(thread.tid, _unseen(error)) from error


def write(thread: ThreadId, wanted: Scheduling) -> None:
    """Schedule the thread so; where any part is refused, it is left as it was.

    Refuses what could not be restored. Raises ThreadGoneError, and SchedulingRefusedError
    with the remedy.
    """
    found = read(thread)
    if found.policy not in POLICY_NAMES:
        why = f"it runs under {found}, which could not be restored"
        raise SchedulingRefusedError(thread.tid, str(wanted), why, "leave it out")
    if _demotes(found, wanted) and not demotion_is_reversible():
        raise SchedulingRefusedError(thread.tid, str(wanted), "it could not be restored", NICE)
    _write(thread, found, wanted)


def restore(thread: ThreadId, original: Scheduling) -> None:
    """Schedule a thread as it was found. Raises the errors of `write`."""
    _write(thread, read(thread), original)


def _write(thread: ThreadId, found: Scheduling, wanted: Scheduling) -> None:
    steps_back: list[Callable[[], None]] = []
    try:
        for differs, set_part in _PARTS:
            if differs(found, wanted):
                set_part(thread.tid, found, wanted)
                steps_back.append(lambda put=set_part: put(thread.tid, wanted, found))  # type: ignore[misc] # mypy cannot infer a default
    except ProcessLookupError as error:
        raise ThreadGoneError(thread.tid) from error
    except OSError as error:
        for step in reversed(steps_back):
            with contextlib.suppress(OSError):  # the refusal below is the news
                step()
        why, remedy = _reason(thread.tid, wanted, set_part, error)
        raise SchedulingRefusedError(thread.tid, str(wanted), why, remedy) from error


def _demotes(found: Scheduling, wanted: Scheduling) -> bool:
    idle = wanted.policy == os.SCHED_IDLE != found.policy
    return idle or wanted.nice > found.nice


def _set_cpus(tid: int, _: Scheduling, wanted: Scheduling) -> None:
    os.sched_setaffinity(tid, wanted.cpus)


def _set_nice(tid: int, _: Scheduling, wanted: Scheduling) -> None:
    os.setpriority(os.PRIO_PROCESS, tid, wanted.nice)


def _set_policy(tid: int, found: Scheduling, wanted: Scheduling) -> None:
    flag = os.SCHED_RESET_ON_FORK
    parameters = os.sched_param(wanted.priority)
    try:
        os.sched_setscheduler(tid, wanted.policy | flag * wanted.reset_on_fork, parameters)
    except PermissionError:
        if wanted.reset_on_fork or not found.reset_on_fork:
            raise
        # Without privilege the flag can be set and never cleared; left set it does no harm.
        os.sched_setscheduler(tid, wanted.policy | flag, parameters)


def _policy_differs(found: Scheduling, wanted: Scheduling) -> bool:
    same = replace(wanted, nice=found.nice, cpus=found.cpus) == found
    return not same


_PARTS: tuple[tuple[Callable[[Scheduling, Scheduling], bool], SetPart], ...] = (
    (lambda found, wanted: found.cpus != wanted.cpus, _set_cpus),
    (lambda found, wanted: found.nice != wanted.nice, _set_nice),
    (_policy_differs, _set_policy),
)


def from_class(wanted: ThreadClass, found: Scheduling) -> Scheduling:
    """The scheduling that a class of work asks of a thread that was first found so.

    Where the class names no processors, those it was found with; `share` is a budget of the
    whole class and no property of a thread.
    """
    realtime = wanted.scheduling is SchedulingClass.REALTIME
    return Scheduling(
        policy=_POLICIES[wanted.scheduling],
        priority=wanted.priority if realtime else 0,
        nice=found.nice if realtime else wanted.nice,
        cpus=wanted.cpus if wanted.cpus is not None else found.cpus,
        reset_on_fork=realtime or wanted.nice < 0 or found.reset_on_fork,
    )


def is_as_asked(now: Scheduling, asked: Scheduling, wanted: ThreadClass) -> bool:
    """Whether a thread still is scheduled as its class asked.

    A nice level means nothing to a real-time thread, and processors only where the class names
    some: control groups and hotplug move threads of their own accord.
    """
    if (now.policy, now.priority) != (asked.policy, asked.priority):
        return False
    if wanted.cpus is not None and now.cpus != asked.cpus:
        return False
    return now.policy in REALTIME or now.nice == asked.nice


def to_class(now: Scheduling, found: Scheduling | None = None) -> ThreadClass:
    """The class of work a thread looks like: the inverse of `from_class`.

    `cpus` is None where it may run on the processors it was found with, or, without
    knowledge of that, on all that this process may use.
    """
    anywhere = found.cpus if found is not None else frozenset(os.sched_getaffinity(0))
    scheduling = _CLASSES.get(now.policy, SchedulingClass.REALTIME)
    return ThreadClass(
        scheduling=scheduling,
        priority=now.priority,
        nice=0 if scheduling is SchedulingClass.REALTIME else now.nice,
        cpus=None if now.cpus == anywhere else now.cpus,
    )


def _reason(tid: int, wanted: Scheduling, part: SetPart, error: OSError) -> Reason:
    """Why a part of what was wanted was refused, and the remedy."""
    why, remedy = explained(error)
    if error.errno == errno.EINVAL:
        remedy = NO_SUCH_PROCESSORS if part is _set_cpus else "this kernel has no such scheduling"
    elif error.errno == errno.EBUSY:
        remedy = "end what runs under SCHED_DEADLINE there: its time is promised"
    elif isinstance(error, PermissionError):
        if (owner := owner_obstacle(tid)) is not None:
            return f"{why}, as {owner[0]}", owner[1]
        realtime = part is _set_policy and wanted.policy in REALTIME
        remedy = realtime_obstacle(tid) if realtime else nice_obstacle()
    return why, remedy


def _is_our_limit(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in LIMITS


def _unseen(error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else None
    return f"it cannot be seen ({why or 'what /proc says of it makes no sense'})"


@cache
def demotion_is_reversible() -> bool:
    """Whether a thread that was made to yield can be made not to: unprivileged, it cannot."""
    with probe() as thread:
        found = read(thread)
        for wanted in (replace(found, nice=19), replace(found, policy=os.SCHED_IDLE)):
            try:
                _write(thread, read(thread), wanted)
                restore(thread, found)
            except SchedulingRefusedError:
                return False
    return True


@contextlib.contextmanager
def probe() -> Iterator[ThreadId]:
    """A thread to try a scheduling on: it sleeps, so that its scheduling matters to nobody."""
    end = threading.Event()
    probe = threading.Thread(target=end.wait, name="probe", daemon=True)
    probe.start()
    thread = identify(probe.native_id or 0)
    found = read(thread)
    try:
        yield thread
    finally:
        with contextlib.suppress(SchedulingRefusedError):  # idle, it merely ends later
            restore(thread, found)
        end.set()
        probe.join()
