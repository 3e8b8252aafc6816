"""Refusals of the system in words: why, and what helps, as the error's number has it.

Only the standard library is imported from here, so that the watchdog stays small.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from controller.linux.process_access import Reason, mount_points, obstacle, user_name

ELSEWHERE = "name another place"
NO_CACHE = "no locator available"
"""Words of numba where it may write to none of the folders that it would keep kernels in."""
NO_CACHE_REMEDY = (
    "compiled kernels cannot be kept: neither the installation nor a cache of this user can be "
    "written; set NUMBA_CACHE_DIR to a folder that can"
)
LITTLE_KIB = 1024
"""Kibibytes left, beyond which it is no use to tell how much."""
TRIED_BYTES = 1 << 16
"""Bytes that are tried: more than what is written at a time, and may find no room."""
OUT_OF_THREADS = "can't start new thread"
"""Words of Python, without a number, where the system grants no more threads."""


def explained(error: OSError, path: Path | str | None = None, elsewhere: str = ELSEWHERE) -> Reason:
    """Why, and what helps, where `path` was refused, or what the error names.

    `elsewhere` says what to do where another place would help.
    """
    place, number = _place(error, path), error.errno or 0
    if number in (errno.EPERM, errno.EACCES) and (reason := _of_a_process(place)) is not None:
        return reason
    why = error.strerror or str(error) or type(error).__name__
    if number in (errno.EPERM, errno.ENOENT) and _is_the_kernels(place):
        return f"{why} (there are none but the kernel's own files)", elsewhere
    detail = "" if place is None or number not in DETAILS else DETAILS[number](_absolute(place))
    remedy = REMEDIES.get(number) or _unknown(number)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return f"{why} ({detail})" if detail else why, remedy.format(elsewhere=elsewhere, files=files)


def in_a_line(error: OSError | RuntimeError) -> str:
    """The refusal in one line: what was refused, as far as the error names it, why, and the remedy.

    A RuntimeError that is about no limit is raised again.
    """
    if isinstance(error, OSError):
        place = _place(error, None)
        if error.errno == errno.ENOENT and place is None and _is_nowhere():
            return "the current folder was removed; change to another one"
        what = UNNAMED.get(error.errno or 0) if place is None else place
        return f"{'' if what is None else f'{what}: '}{'; '.join(explained(error))}"
    if str(error) == OUT_OF_THREADS:
        return more_threads()
    if NO_CACHE in str(error):
        return NO_CACHE_REMEDY
    raise error


def explained_port(error: OSError, elsewhere: str) -> Reason:
    """Why a port cannot be had, and what helps: the lowest are for the privileged."""
    why, remedy = explained(error, elsewhere=elsewhere)
    if error.errno == errno.EACCES:
        remedy = f"grant CAP_NET_BIND_SERVICE, or {elsewhere} from 1024 on"
    return why, remedy


def refused_read(path: Path) -> OSError | None:
    """The system's refusal to whoever reads a file; None where it can be read."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return error
    return None


def refused_write(path: Path) -> OSError | None:
    """The system's refusal of more bytes at the end of a file, which then is as it was.

    Libraries that write for us tell that they could not, and hardly ever why.
    """
    size = 0
    try:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(size)
            file.write(bytes(TRIED_BYTES))
    except OSError as error:
        return error
    finally:
        with contextlib.suppress(OSError):  # it was refused as well, or is no file
            os.truncate(path, size)
    return None


def threads_are_granted() -> bool:
    """Whether this process may start another thread."""
    thread = threading.Thread(target=int)
    try:
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True


def more_threads() -> str:
    """The remedy where no more threads or processes are granted."""
    return f"{OUT_OF_THREADS}; {REMEDIES[errno.EAGAIN]}"


REMEDIES: Mapping[int, str] = {
    errno.EACCES: "give access to it, or {elsewhere}",
    errno.EPERM: "grant the privilege that this takes (see `man capabilities`; of a file, `lsattr` "
    "tells whether it may be changed), or {elsewhere}",
    errno.EROFS: "mount it writable, or {elsewhere}",
    errno.ENOSPC: "free some space there, or {elsewhere}",
    errno.EDQUOT: "free some of the quota there, or {elsewhere}",
    errno.EFBIG: "raise the limit of a file's size (`ulimit -f`), or {elsewhere}",
    errno.EMFILE: "allow more open files than {files} (`ulimit -n`, LimitNOFILE= of a unit)",
    errno.ENFILE: "allow the machine more open files (`sysctl fs.file-max`)",
    errno.EAGAIN: "allow more processes and threads (`ulimit -u`, TasksMax= of a unit, pids.max of "
    "a control group)",
    errno.ENOMEM: "free some memory, or allow more (`ulimit -v`, MemoryMax= of a unit)",
    errno.ENOENT: "make it, or {elsewhere}",
    errno.ENOTDIR: "{elsewhere}, in a folder",
    errno.EISDIR: "name a file in it",
    errno.EEXIST: "move it away, or {elsewhere}",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ELOOP: "mend the symbolic links, which lead in a circle",
    errno.EBUSY: "end what uses it, or {elsewhere}",
    errno.ETXTBSY: "end the program that runs from it, or {elsewhere}",
    errno.ENXIO: "see that something is at the other end, or {elsewhere}",
    errno.ENODEV: "see that its device is there, or {elsewhere}",
    errno.EIO: "see what `dmesg` tells of its device, or {elsewhere}",
    errno.ESTALE: "mount it anew, or {elsewhere}",
    errno.EINVAL: "its file system takes no such request: {elsewhere}",
    errno.EOPNOTSUPP: "its file system takes no such request: {elsewhere}",
    errno.ENOLCK: "its file system grants no locks: {elsewhere}",
    errno.ENOEXEC: "install the program for this kind of machine",
    errno.ENOSYS: "use a kernel that has this call, or a filter (seccomp) that passes it",
    errno.ESRCH: "it has ended: start it again",
    errno.ETIMEDOUT: "see that something writes into it, or {elsewhere}",
    errno.EOVERFLOW: "{elsewhere}",
    errno.EPIPE: "whoever read it has gone: {elsewhere}",
    errno.EADDRINUSE: "{elsewhere}",
    errno.EADDRNOTAVAIL: "use an address of this machine, or {elsewhere}",
}
"""Remedies, by the number of the error."""


UNNAMED: Mapping[int, str] = {
    errno.EMFILE: "another open file",
    errno.ENFILE: "another open file",
    errno.EAGAIN: "another process or thread",
    errno.ENOMEM: "more memory",
}
"""Names of what was refused where the error names no place."""


def _closed(place: Path) -> str:
    """Which part of a path is closed to us, and whose it is."""
    for folder in reversed(place.parents):
        if _is_closed(folder):
            return _whose(folder)
    return _whose(place if os.path.lexists(place) else place.parent)


def _is_closed(folder: Path) -> bool:
    exists = os.access(folder, os.F_OK, effective_ids=True)
    return exists and not os.access(folder, os.X_OK, effective_ids=True)


def _whose(place: Path) -> str:
    try:
        found = place.stat()
    except OSError:
        return ""
    owner, us = user_name(found.st_uid), user_name(os.geteuid())
    return f"{place} belongs to {owner}, mode {found.st_mode & 0o7777:03o}, and we are {us}"


def _mounted(place: Path) -> str:
    return f"mounted at {_mount_point(place)}"


def _full(place: Path) -> str:
    """Whether the file system has room for no more bytes, or for no more files."""
    mount = _mount_point(place)
    try:
        found = os.statvfs(mount)
    except OSError:
        return ""
    if found.f_files and not found.f_favail:
        return f"{mount} has room for no more files"
    left_kib = found.f_bavail * found.f_frsize >> 10
    return f"{mount} has {left_kib:,} KiB left" if left_kib < LITTLE_KIB else ""


def _absent(place: Path) -> str:
    """The first part of a path that does not exist, where that is not the path itself."""
    missing = [each for each in place.parents if not os.path.lexists(each)]
    return f"there is no folder {missing[-1]}" if missing else ""


def _no_folder(place: Path) -> str:
    files = [each for each in place.parents if os.path.lexists(each) and not each.is_dir()]
    return f"{files[0]} is no folder" if files else ""


def _leads_nowhere(place: Path) -> str:
    links = [each for each in (place, *place.parents) if each.is_symlink()]
    return f"{links[0]} is a symbolic link" if links else ""


DETAILS: Mapping[int, Callable[[Path], str]] = {
    errno.EACCES: _closed,
    errno.EROFS: _mounted,
    errno.ENOSPC: _full,
    errno.ENOENT: _absent,
    errno.ENOTDIR: _no_folder,
    errno.EEXIST: _leads_nowhere,
}
"""Details that can be told of a place, by the number of the error."""


def _mount_point(place: Path) -> Path:
    """Where the file system of a place is mounted, which may be a part of another's."""
    absolute = Path(os.path.realpath(place))
    mounts = mount_points()
    above = (absolute, *absolute.parents)
    return next(each for each in above if str(each) in mounts or os.path.ismount(each))


def _place(error: OSError, path: Path | str | None) -> Path | None:
    named = error.filename if path is None else path
    if isinstance(named, bytes):
        named = os.fsdecode(named)
    return Path(named) if isinstance(named, (str, Path)) and str(named) else None


def _absolute(place: Path) -> Path:
    try:
        return place.absolute()
    except OSError:  # the folder that we are in was removed
        return place


def _of_a_process(place: Path | None) -> Reason | None:
    """Why the files of a process are closed, where it is one of those."""
    parts = () if place is None else place.parts[1:3]
    if parts[:1] != ("proc",) or not parts[-1].isdecimal():
        return None
    return obstacle(int(parts[-1]))


def _is_nowhere() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _is_the_kernels(place: Path | None) -> bool:
    return place is not None and place.parts[:2] in (("/", "proc"), ("/", "sys"))


def _unknown(number: int) -> str:
    name = errno.errorcode.get(number)
    return f"`man errno` tells of {name}" if name else "`kapellmeister doctor` tells what works"
