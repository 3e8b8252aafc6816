"""Which process is meant by a number, which a later process may have: by its start as well.

Only the standard library is imported from here, so that the watchdog stays small.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from controller.errors import ThreadGoneError, ThreadHiddenError

PROC = Path("/proc")
ENDED = (b"Z", b"X", b"x")
"""States of what has ended, as /proc has them."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PF_KTHREAD = 0x0020_0000
"""Flag of the kernel's own threads."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that no later one can be mistaken for: a reused `pid` starts later.

    `start_time` is in clock ticks since boot, as /proc has it. A program that calls exec goes on
    as the same process.
    """

    pid: int
    start_time: int


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """A process as /proc/PID/stat tells of it.

    `name` is that of its main thread, at most 15 bytes. `image` is where its code and its stack
    lie: each exec puts them elsewhere. Zeros where this process may not look into that one.
    """

    process: ProcessId
    name: bytes
    parent: int
    image: tuple[bytes, ...]
    is_kernel: bool


def read_process(pid: int, root: Path = PROC) -> ProcessStat:
    """The process that has this id now, with what is told of it.

    ThreadGoneError where none has; ThreadHiddenError where it may not be seen, or what is told of
    it makes no sense. One that has ended, and of which only the status is still to be taken, is
    gone.
    """
    try:
        head, _, tail = _read(f"{root}/{pid}/stat").rpartition(b")")  # names may hold brackets
        fields = tail.split(maxsplit=26)
        ended = fields[0] in ENDED and int(fields[17]) <= 1  # else only its main thread has
        process = ProcessId(pid, int(fields[19]))
        is_kernel, parent = bool(int(fields[6]) & PF_KTHREAD), int(fields[1])
    except (OSError, ValueError, IndexError) as error:
        raise gone_or_hidden(pid, root) from error
    if ended:
        raise ThreadGoneError(pid)
    name = head.partition(b"(")[2]
    return ProcessStat(process, name, parent, tuple(fields[23:26]), is_kernel)


def gone_or_hidden(number: int, root: Path = PROC) -> ThreadGoneError:
    """The error for a process or thread of which /proc tells nothing: the kernel may have it."""
    hides = root == PROC and is_used(number)
    return ThreadHiddenError(number) if hides else ThreadGoneError(number)


def is_used(number: int) -> bool:
    """Whether some process or thread has this number, also where /proc hides it."""
    try:
        os.sched_getscheduler(number)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # not for us to ask
        return True
    return True


def kill(process: ProcessId) -> None:
    """End it, and no other that gets its number, be it between looking and ending.

    Raises PermissionError where it is another user's.
    """
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process.pid)  # means one process, whatever its number later does
        try:
            if lives(process):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)


def ticks_since_boot(ago_s: float = 0.0) -> int:
    """The time now, or so long ago, as /proc tells when a process started."""
    return int((time.clock_gettime(time.CLOCK_BOOTTIME) - ago_s) * TICKS_PER_S)


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)  # asked for every tick: a file object takes longer
    try:
        return os.read(descriptor, 1 << 12)
    finally:
        os.close(descriptor)


def identify_process(pid: int, root: Path = PROC) -> ProcessId:
    """The process that has this id now; ThreadGoneError as `read_process`."""
    return read_process(pid, root).process


def lives(process: ProcessId, root: Path = PROC) -> bool:
    """Whether it does, and no other process has its number; not where it is hidden."""
    try:
        return identify_process(process.pid, root) == process
    except ThreadGoneError:
        return False


def has_ended(process: ProcessId, root: Path = PROC) -> bool:
    """Whether it has, as far as is known: one that is hidden may live."""
    try:
        return identify_process(process.pid, root) != process
    except ThreadHiddenError:
        return False
    except ThreadGoneError:
        return True
