"""Why the kernel refuses to schedule a thread, as the remedy for it.

Only the standard library is imported from here, so that the watchdog stays small.
"""

from __future__ import annotations

from pathlib import Path

from controller.errors import KernelFileError
from controller.linux.kernel_files import read_number, read_text
from controller.linux.process_access import privilege_obstacle
from controller.linux.process_id import PROC

REALTIME_BUDGET = Path("/proc/sys/kernel/sched_rt_runtime_us")
"""File of the microseconds that real-time threads may run in each period; -1 without bound."""
NICE = "grant CAP_SYS_NICE, or RLIMIT_NICE (`nice -11` in /etc/security/limits.d)"
"""Remedy where nice levels are refused."""


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


def is_throttled() -> bool:
    """Whether the kernel keeps some time for others where real-time threads never pause."""
    return read_number(REALTIME_BUDGET) != -1


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
