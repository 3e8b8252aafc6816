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

from controller.errors import KernelFileError, SchedulingRefusedError, ThreadGoneError
from controller.linux.kernel_files import count, read_text
from controller.linux.os_errors import explained
from controller.linux.process_access import Reason, owner_obstacle, privilege_obstacle
from controller.linux.process_id import PROC as PROC
from controller.linux.process_id import ProcessId as ProcessId
from controller.linux.process_id import identify_process as identify_process
from controller.linux.process_id import lives as lives
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
"""The policies whose threads run before all ordinary ones, for as long as they like."""

REALTIME_BUDGET = Path("/proc/sys/kernel/sched_rt_runtime_us")
"""How much of each period real-time threads may run, microseconds; -1 without bound."""
UNTHROTTLED = (
    "the kernel would not throttle it: set `sysctl kernel.sched_rt_runtime_us=950000`, "
    "or `sidecar.realtime_without_throttling`"
)
"""Why real-time is not used although the kernel may grant it, as the remedy."""

NICE = "grant CAP_SYS_NICE, or RLIMIT_NICE (`nice -11` in /etc/security/limits.d)"
"""The remedy where nice levels are refused."""


NO_SUCH_PROCESSORS = "name processors that exist and that its cpuset permits"
UNSEEN = (OSError, ValueError, IndexError)
"""How a thread hides that lives: it is closed to us, or what is said of it makes no sense."""
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
"""Sets one part of a thread's scheduling: found so, and wanted so."""


def identify(tid: int, root: Path = PROC) -> ThreadId:
    """The thread that has this id now; ThreadGoneError where none has, or none that may be seen."""
    try:
        with open(f"{root}/{tid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - likewise
            # The name stands in brackets and may itself hold spaces and brackets.
            return ThreadId(tid, count(file.read().rpartition(b")")[2].split(maxsplit=20)[19]))
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ThreadGoneError(tid) from error
    except UNSEEN as error:
        if _is_our_limit(error):  # which says nothing of the thread
            raise
        raise ThreadGoneError(tid, _unseen(error)) from error


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
    """What a class of work asks of a thread that was first found so.

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


def nice_obstacle() -> str:
    """Why scheduling of our own threads is likely refused, as the remedy for it."""
    return privilege_obstacle() or NICE


def realtime_obstacle(tid: int) -> str:
    """Why real-time scheduling is likely refused to a thread, as the remedy for it."""
    if read_number(REALTIME_BUDGET) == 0:
        return "set `sysctl kernel.sched_rt_runtime_us=950000`"
    group = realtime_group(tid)
    if group is not None and read_number(group) == 0:
        return f"give its control group real-time budget: write 950000 to {group}"
    return privilege_obstacle() or (
        "grant CAP_SYS_NICE, or RLIMIT_RTPRIO (`rtprio 70` in /etc/security/limits.d)"
    )


def read_number(path: Path) -> int | None:
    """The whole number a kernel file holds, perhaps below 0; None where it has none."""
    try:
        text = read_text(path).strip()
        return -count(text[1:]) if text.startswith("-") else count(text)
    except ValueError:
        return None


def realtime_group(tid: int, root: Path = PROC) -> Path | None:
    """The file that bounds real-time scheduling in the thread's control group (version 1)."""
    try:
        lines = read_text(root / str(tid) / "cgroup").splitlines()
    except KernelFileError:
        return None
    for fields in (line.split(":", 2) for line in lines):
        if len(fields) == 3 and "cpu" in fields[1].split(",") and fields[2].startswith("/"):
            return Path(f"/sys/fs/cgroup/{fields[1]}{fields[2]}/cpu.rt_runtime_us")
    return None


def _is_our_limit(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in LIMITS


def _unseen(error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else None
    return f"it cannot be seen ({why or 'what /proc says of it makes no sense'})"


NICE_PROBED = -11
"""The raised nice level that decides whether nice levels count as permitted."""
PRIORITY_MAX = 70
"""The highest real-time priority asked for: drivers run above it (JACK at 80, PipeWire at 88)."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the kernel lets this process do to a thread of its own, found by trying.

    `priority_max` is the highest real-time priority granted, up to `PRIORITY_MAX`, and 0
    without any; `cpus` are the processors this process may run on. `demotion` says whether a
    lowered nice level and the idle class could be restored from: without, neither is permitted.
    `why` names what was refused and the remedy, and is empty where nothing was.
    """

    realtime: bool
    nice: bool
    priority_max: int
    cpus: frozenset[int]
    why: str = ""
    demotion: bool = True


def permitted(unthrottled: bool = False) -> Permissions:
    """Try each kind of change on a thread that exists for this purpose alone.

    Where the kernel would not throttle a real-time thread that never pauses, real-time counts
    as refused unless `unthrottled` says otherwise: such a thread could stop the machine.
    """
    with _probe() as thread:
        granted = _try_on(thread)
    if unthrottled or not granted.realtime or is_throttled():
        return granted
    why = f"real-time: {UNTHROTTLED}"
    why = f"{granted.why}; {why}" if granted.why else why
    return replace(granted, realtime=False, priority_max=0, why=why)


def is_throttled() -> bool:
    """Whether the kernel keeps some time for others where real-time threads never pause."""
    return read_number(REALTIME_BUDGET) != -1


@cache
def demotion_is_reversible() -> bool:
    """Whether a thread that was made to yield can be made not to: unprivileged, it cannot."""
    with _probe() as thread:
        found = read(thread)
        for wanted in (replace(found, nice=19), replace(found, policy=os.SCHED_IDLE)):
            try:
                _write(thread, read(thread), wanted)
                restore(thread, found)
            except SchedulingRefusedError:
                return False
    return True


@contextlib.contextmanager
def _probe() -> Iterator[ThreadId]:
    """A thread that sleeps, so that its scheduling matters to nobody."""
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


def _try_on(thread: ThreadId) -> Permissions:
    found = read(thread)
    realtime = replace(found, policy=os.SCHED_FIFO, reset_on_fork=True)
    nice_refused = _refused(thread, replace(found, nice=NICE_PROBED, reset_on_fork=True))
    realtime_refused = _refused(thread, replace(realtime, priority=1))
    priority = 0 if realtime_refused else PRIORITY_MAX
    while priority and _refused(thread, replace(realtime, priority=priority)):
        priority -= 1
    restore(thread, found)
    demotion_refused = _refused(thread, replace(found, policy=os.SCHED_IDLE))
    refusals = (nice_refused, demotion_refused, realtime_refused)
    return Permissions(
        realtime=realtime_refused is None,
        nice=nice_refused is None,
        priority_max=priority,
        cpus=found.cpus,
        why="; ".join(refusal for refusal in refusals if refusal is not None),
        demotion=demotion_refused is None,
    )


def _refused(thread: ThreadId, wanted: Scheduling) -> str | None:
    try:
        write(thread, wanted)
    except SchedulingRefusedError as error:
        return f"{error.wanted}: {error.remedy}"
    return None
