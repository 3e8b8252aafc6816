"""Why a process may not be looked into, or its threads not rescheduled, and what helps.

Only the standard library is imported from here, so that the watchdog stays small.
"""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

from controller.errors import KernelFileError
from controller.linux.kernel_files import read_text

PROC = Path("/proc")
CAP_SYS_PTRACE = 19
CAP_SYS_NICE = 23
"""Numbers of capabilities, as `capabilities(7)` names them."""
EVERYBODY = "0 0 4294967295"
"""Map of users, as the kernel tells it, where there is only its own user namespace."""
HIDING = {"1": "noaccess", "2": "invisible", "4": "ptraceable"}
"""Names of `hidepid` since Linux 5.8, by its number."""
FILTERED = "2"
NOT_ENOUGH = "CAP_SYS_NICE is not enough here: let"

Reason = tuple[str, str]
"""Reason for a refusal, and the remedy."""


def obstacle(pid: int, root: Path = PROC) -> Reason | None:
    """Why a process that lives cannot be watched; None where it can be, or has ended."""
    if _is_open(pid, root) or not lives(pid):
        return None
    if (reason := foreign(root)) is not None:
        return reason
    owner = owner_of(pid, root)
    if owner == os.geteuid():
        whose, who = "it has privileges that this has not", "with the same privileges"
    elif owner is None:
        whose, who = "it runs", "as its user"
    else:
        whose = f"it belongs to user {user_name(owner)}"
        who = f"as user {user_name(owner)}"
    why, remedy = hidden(root) or SECURITY_MODULE
    return f"{whose} and cannot be looked into: {why}", remedy.format(who=who)


MOUNT_PROC = "mount that of this one (`mount -t proc proc /proc`, or `unshare --mount-proc`)"
SECURITY_MODULE = (
    "a security module or a filter closes it",
    "let its rules (AppArmor, SELinux) permit that, or run this {who}",
)


def hidden(root: Path = PROC) -> Reason | None:
    """Why processes of others are not seen; None where nobody hides them from us.

    The remedy has a place for as whom to run, `{who}`.
    """
    options = _mount_options(root)
    hidepid = options.get("hidepid", "0")
    hidepid = HIDING.get(hidepid, hidepid)
    if hidepid not in HIDING.values() or capable(CAP_SYS_PTRACE, root):
        return None
    why = f"{root} is mounted with hidepid={hidepid}, which hides programs of others"
    if hidepid == "ptraceable":
        return why, "run this {who}, or grant CAP_SYS_PTRACE"
    group = options.get("gid", "0")
    if group in map(str, (os.getegid(), *os.getgroups())):
        return None
    exempt = (
        f"in group {group}" if "gid" in options else f"mount {root} with gid= of a group of yours"
    )
    return why, f"run this {{who}}, or {exempt}, or grant CAP_SYS_PTRACE"


def owner_obstacle(thread: int, root: Path = PROC) -> Reason | None:
    """Why the threads of another user may not be rescheduled; None where that is no reason."""
    users = _users_of(thread, root)
    if not users or os.geteuid() in users or capable(CAP_SYS_NICE, root):
        return None
    name = user_name(users[-1])
    return f"it belongs to user {name}", f"run this as user {name}, or grant CAP_SYS_NICE"


def privilege_obstacle(root: Path = PROC) -> str | None:
    """Why a capability that we have does not help, as the remedy; None where we have none."""
    if not capable(CAP_SYS_NICE, root):
        return None
    if in_user_namespace(root):
        return (
            "CAP_SYS_NICE of this user namespace is none of the kernel's: raise RLIMIT_RTPRIO and "
            "RLIMIT_NICE outside of it (`--ulimit rtprio=95` of a container)"
        )
    if _status_field("Seccomp", root) == FILTERED:
        return f"{NOT_ENOUGH} the seccomp filter pass it (`--cap-add SYS_NICE` of a container)"
    return f"{NOT_ENOUGH} the security module (AppArmor, SELinux) or the control group permit it"


def capable(capability: int, root: Path = PROC) -> bool:
    """Whether this process has the capability in force."""
    try:
        return bool(int(_status_field("CapEff", root), 16) >> capability & 1)
    except ValueError:
        return False


def in_user_namespace(root: Path = PROC) -> bool:
    """Whether the users here are others than the kernel's own."""
    try:
        return read_text(root / "self" / "uid_map").split() != EVERYBODY.split()
    except KernelFileError:
        return False


def foreign(root: Path = PROC) -> Reason | None:
    """Why the numbers in /proc are not those that system calls take; None where they are."""
    try:
        ours = (root / "self").readlink().name == str(os.getpid())
    except OSError:
        return f"{root} is not mounted, or not for this namespace of processes", MOUNT_PROC
    return None if ours else (f"{root} shows another namespace's processes", MOUNT_PROC)


def lives(pid: int) -> bool:
    """Whether some process has this number, also one that may not be seen."""
    if pid <= 0:  # whole groups of processes
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def owner_of(pid: int, root: Path = PROC) -> int | None:
    """The user that a process runs as; None where that may not be seen."""
    users = _users_of(pid, root)
    if users:
        return users[-1]
    try:
        return (root / str(pid)).stat().st_uid  # that of a folder which may be closed
    except OSError:
        return None


def user_name(user: int) -> str:
    """The name of a user, or the number of one without a name."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _users_of(pid: int, root: Path) -> tuple[int, ...]:
    """The real user of a process, and the one as whom it runs; nothing where it is closed."""
    found = re.search(r"^Uid:\s+(\d{1,10})\s+(\d{1,10})\s", _status(pid, root), re.MULTILINE)
    return tuple(map(int, found.groups())) if found else ()


def _is_open(pid: int, root: Path) -> bool:
    try:
        os.listdir(root / str(pid) / "task")  # noqa: PTH208 - only whether that is allowed
        read_text(root / str(pid) / "stat")
    except (OSError, KernelFileError):
        return False
    return True


def _status(pid: int | str, root: Path) -> str:
    try:
        return read_text(root / str(pid) / "status")
    except KernelFileError:
        return ""


def _status_field(name: str, root: Path) -> str:
    found = re.search(rf"^{name}:\s*(\S+)", _status("self", root), re.MULTILINE)
    return found[1] if found else ""


def mount_points(root: Path = PROC) -> frozenset[str]:
    """Where file systems are mounted, as far as that is told."""
    return frozenset(each.split(" ")[4] for each, _ in _mounts(root))


def _mount_options(root: Path) -> dict[str, str]:
    """How /proc is mounted: the topmost mount of a place stands last."""
    for mount, of_the_system in reversed(_mounts(root)):
        if mount.split(" ")[4] == str(root):
            pairs = (each.partition("=") for each in of_the_system.split(" ")[-1].split(","))
            return {name: value for name, _, value in pairs}
    return {}


def _mounts(root: Path) -> list[tuple[str, str]]:
    """The lines of `/proc/self/mountinfo`: of each mount, and of its file system."""
    try:
        lines = read_text(root / "self" / "mountinfo").splitlines()
    except KernelFileError:
        return []
    parts = (line.partition(" - ") for line in lines)
    return [(mount, system) for mount, _, system in parts if mount.count(" ") > 4]
