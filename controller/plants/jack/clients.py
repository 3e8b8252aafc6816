"""Which processes a JACK server and its clients are: those of that very server, no others."""

from __future__ import annotations

import os
import re
from pathlib import Path

from controller.linux.process_id import PROC, ProcessId, lives
from controller.plants.programs.processes import identified, process_ids, read_bytes


def playing_with(
    server_name: str, server: ProcessId | None, root: Path = PROC
) -> tuple[ProcessId, ...]:
    """The JACK server and its clients, as far as they may be looked into.

    Each maps the semaphore of the server's driver, with the user's number in its name or
    without (promiscuous mode), from the same file: another user, another mount namespace or an
    earlier server may have one of the same name.
    """
    semaphore = re.compile(
        rb"^\S+ \S+ \S+ (\S+ \d+) +\S*/jack_sem\.(?:\d+_)?%s_system\b"
        % re.escape(os.fsencode(server_name)),
        re.MULTILINE,
    )

    def semaphores(pid: int) -> set[bytes]:
        maps = read_bytes(root / str(pid) / "maps")
        return set(semaphore.findall(maps)) if b"/jack_sem." in maps else set()

    if server is None or not lives(server, root):
        return ()
    its_own = semaphores(server.pid)
    others = (pid for pid in process_ids(root) if pid != os.getpid())
    return identified((pid for pid in others if its_own & semaphores(pid)), root)
