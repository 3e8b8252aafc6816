"""A folder that looks like /proc, with the processes that a test puts there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from controller.linux.process_id import ProcessId


def put_process(
    root: Path,
    pid: int,
    comm: str = "program",
    *,
    exe: str | None = None,
    argv: Sequence[str] = (),
    start_time: int = 1,
    parent: int = 1,
    state: str = "S",
    threads: int = 1,
    image: Sequence[str] = ("1", "1", "0"),
    cgroup: str = "0::/",
    maps: str = "",
    sockets: Sequence[int] = (),
    flags: int = 0,
) -> ProcessId:
    """A process that has this number from now on, in place of any that had it."""
    place = root / str(pid)
    shutil.rmtree(place, ignore_errors=True)
    (place / "fd").mkdir(parents=True)
    counts = f"0 0 0 0 {flags} {'0 ' * 10}{threads} 0 {start_time} 0 0 0 {' '.join(image)} 0"
    stat = f"{pid} ({comm}) {state} {parent} {counts}\n"
    (place / "stat").write_bytes(os.fsencode(stat))
    (place / "comm").write_bytes(os.fsencode(f"{comm}\n"))
    (place / "cmdline").write_bytes(b"".join(os.fsencode(each) + b"\0" for each in argv))
    (place / "cgroup").write_text(f"{cgroup}\n")
    (place / "maps").write_text(maps)
    if exe is not None:
        (place / "exe").symlink_to(exe)
    for number, inode in enumerate(sockets):
        (place / f"fd/{number}").symlink_to(f"socket:[{inode}]")
    return ProcessId(pid, start_time)
