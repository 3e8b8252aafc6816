"""The process that controls: signals that end it, its niceness, and the rights it has."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controller.clock import WallClock
from controller.linux.permissions import Permissions, permitted

CONTROLLER_NICE = -10
"""Niceness of the loop: behind the load that it is to relieve it would come too late; audio is
above it."""
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals(clock: WallClock) -> Iterator[Callable[[], bool]]:
    """Have signals ask the loop for an end, and never break a tick in two; whether one did."""
    asked: list[int] = []

    def ask(number: int, _: object) -> None:
        asked.append(number)
        clock.wake()

    before = {number: signal.signal(number, ask) for number in END_SIGNALS}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def raised_priority() -> Iterator[None]:
    """Let the loop run before ordinary work, for as long as it lasts."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, min(nice, CONTROLLER_NICE))
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, nice)


def granted(unthrottled: bool, say: Callable[[str], None]) -> Permissions:
    """The kernel's permissions here; where they are less than all, that is said once."""
    permissions = permitted(unthrottled)
    if not permissions.realtime:
        say(f"real-time scheduling is refused; going on with what is allowed ({permissions.why})")
    return permissions
