"""A Python process of our own that does one thing, and a connection to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from controller.linux.prctl import die_with_parent

STDERR = 2
_PROGRAM = """
import sys
sys.path[:] = {path!r}
from simulators.jobs.child import inside
from {module} import main
main(inside({channel}, {parent}))
"""


def start_child(
    module: str, environment: dict[str, str]
) -> tuple[subprocess.Popen[bytes], Connection]:
    """Start `main(connection)` of a module apart, which prints to stderr and hears no Ctrl-C."""
    ours, theirs = socket.socketpair()
    with ours, theirs, _interrupt_blocked():
        channel, parent = theirs.fileno(), os.getpid()
        program = _PROGRAM.format(path=sys.path, module=module, channel=channel, parent=parent)
        process = subprocess.Popen(
            (sys.executable, "-c", program),
            pass_fds=(channel,),
            stdin=subprocess.DEVNULL,
            stdout=STDERR,
            env=os.environ | environment,
        )
        return process, Connection(ours.detach())


def inside(channel: int, parent: int) -> Connection:
    """In the child: the connection; the process ends with the thread that started it."""
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    return Connection(channel)


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Processes that start in here never hear Ctrl-C, not even while they load: we end them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
