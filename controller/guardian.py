"""A small process that puts threads back when the controller that changed them is gone.

`python -m controller.guardian PID LEASE_S` holds the lease: the controller registers each
thread before it changes it and renews now and then. When the controller ends by any route,
or stops renewing, the guardian restores what was registered. One JSON array a line each way.
Only the standard library is imported from here, so that it stays small.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from typing import Any

from controller.restoration import Original, Restoration, restore
from controller.scheduling import Scheduling, ThreadId

PARENT_CHECK_S = 0.5


class Guardian:
    """Keeps the originals, and restores them once the lease has run out."""

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._originals: dict[ThreadId, Original] = {}
        self._ends_at_s: float | None = None

    def hear(self, line: bytes, now_s: float) -> bytes:
        """Take note of one message; any message renews. The answer, empty where none is due."""
        self._ends_at_s = now_s + self._lease_s
        message = json.loads(line)
        if message[0] != "hold":
            return b""
        self._originals = dict(map(decode, message[1:]))
        return b'["held"]\n'

    def remaining_s(self, now_s: float) -> float | None:
        """Seconds until the lease runs out; None where nothing is held that could."""
        if self._ends_at_s is None or not self._originals:
            return None
        return max(0.0, self._ends_at_s - now_s)

    def expire(self) -> bytes:
        """Restore, since no renewal came, and say so; a later message starts a new lease."""
        self._ends_at_s = None
        self.restore("no sign of life from the controller")
        return b'["expired"]\n'

    def restore(self, why: str) -> None:
        """Put every registered thread back, and report on the terminal what that changed."""
        restoration = restore(self._originals)
        if restoration != Restoration():
            with contextlib.suppress(OSError):  # the terminal may be gone with the controller
                print(_report(why, restoration), file=sys.stderr, flush=True)


def encode(thread: ThreadId, original: Original) -> list[object]:
    """One registration as JSON can hold it."""
    found = original.scheduling
    cpus = sorted(found.cpus)
    flags = [found.policy, found.priority, found.nice, cpus, found.reset_on_fork]
    return [thread.tid, thread.start_time, original.since, *flags]


def decode(registration: list[Any]) -> tuple[ThreadId, Original]:
    """The registration that `encode` made."""
    tid, start_time, since, policy, priority, nice, cpus, reset_on_fork = registration
    scheduling = Scheduling(policy, priority, nice, frozenset(cpus), reset_on_fork)
    return ThreadId(tid, start_time), Original(scheduling, since)


def _report(why: str, restoration: Restoration) -> str:
    words = f"kapellmeister guardian: {why}; threads put back: {restoration.restored}"
    return "\n".join((words, *restoration.refused))


def _watch(guardian: Guardian, controller: int) -> None:
    """Listen until the controller is gone, whatever ended it.

    Children that it forked may keep the pipe open, so its process is looked for as well.
    """
    received = b""
    while os.getppid() == controller:
        remaining_s = guardian.remaining_s(time.monotonic())
        if remaining_s == 0.0:
            os.write(1, guardian.expire())
        elif select.select([0], [], [], min(PARENT_CHECK_S, remaining_s or PARENT_CHECK_S))[0]:
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, received = (received + chunk).split(b"\n")
            for line in lines:
                os.write(1, guardian.hear(line, time.monotonic()))


def main() -> None:
    """Stand watch over the controller, restore, and end."""
    controller, lease_s = int(sys.argv[1]), float(sys.argv[2])
    for meant_for_the_terminal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(meant_for_the_terminal, signal.SIG_IGN)
    guardian = Guardian(lease_s)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, b'["ready"]\n')
        _watch(guardian, controller)
    guardian.restore("the controller is gone")


if __name__ == "__main__":
    main()
