"""A process of ordinary priority that must get to run on one processor after the other.

Real-time threads that never pause starve all ordinary work, though the kernel keeps about
5 % of the time for it, in one piece a second: throttling (`kernel.sched_rt_runtime_us`), or
the fair server since Linux 6.12. So that to run now and then is no sign of health, and the
canary asks for more once it was kept waiting, or once what may starve it is known to run nearly
all the time: whoever wakes often enough is served promptly even then. It is no thread of the
watchdog: pre-empted with the interpreter's lock in hand, it would stop its watcher too. Only the
standard library is imported from here, so that the watchdog stays small.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import time
from dataclasses import dataclass

ROUND_S = 1.0
"""Seconds for one visit to every processor, where they are few."""
REST_S = (0.05, 0.5)
"""Seconds of rest between two visits, at least and at most, which bound the canary's own cost."""
LATE_S = 0.2
"""Seconds for which ordinary load never keeps an ordinary process waiting that has slept."""
SHARE_S = 0.15
"""Seconds of its time that a suspect processor is asked for: three times what the kernel keeps free
of real-time work in a second."""
STARVED_S = 2.0
"""Seconds after which a visit has found a processor that starves ordinary work."""
LOOK_S = 0.5
"""Seconds between two looks at the canary, and the most that one look counts: a machine that was
suspended as a whole has starved nobody."""

VISITS, PLACE, NEEDED, SUSPECT = range(4)
"""Places of the figures on the board that the watchdog and the canary share."""


@dataclass(slots=True)
class Watch:
    """How long the canary has been on one visit, by the time in which it was looked at."""

    visits: int = -1
    waited_s: float = 0.0
    looked_at_s: float = 0.0

    def look(self, visits: int, now_s: float) -> bool:
        """Whether the visit under way has lasted too long."""
        if visits != self.visits:
            self.visits, self.waited_s = visits, 0.0
        else:
            self.waited_s += min(LOOK_S, now_s - self.looked_at_s)
        self.looked_at_s = now_s
        return self.waited_s >= STARVED_S


class Canary:
    """Patrols the processors of the process that starts it, for as long as that one lives."""

    def __init__(self) -> None:
        self._board = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("q")
        self._watch = Watch()
        watchdog, (up, shared) = os.getpid(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.closerange(0, shared + 1)  # or pipes would not end with the watchdog
            _live(self._board, watchdog)
        os.close(shared)
        os.read(up, 1)  # ends once the canary has closed all of it
        os.close(up)

    def patrol(self, needed: bool) -> None:
        """Go about, or rest where nothing is registered that could starve anybody."""
        self._board[NEEDED] = needed

    def suspect(self, suspected: bool) -> None:
        """Have it ask for more on each visit, or only where it was kept waiting."""
        self._board[SUSPECT] = suspected

    def starves(self, now_s: float) -> int | None:
        """The processor that does not let ordinary work run; None where all do."""
        return self._board[PLACE] if self._watch.look(self._board[VISITS], now_s) else None

    def move_on(self) -> None:
        """Let it run elsewhere: what hogs this processor is none of ours."""
        with contextlib.suppress(OSError):  # it has ended, and no visit will be over any more
            os.sched_setaffinity(self.pid, os.sched_getaffinity(0))

    def end(self) -> None:
        """End it, without waiting: where it starves, it ends later."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)


def _live(board: memoryview, watchdog: int) -> None:
    """All of the canary's life; the caller's stack is never returned to."""
    try:
        _become_ordinary()
        _patrol(board, watchdog)
    finally:
        os._exit(0)


def _become_ordinary() -> None:
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, 0)


def _patrol(board: memoryview, watchdog: int) -> None:
    least_s, most_s = REST_S
    while os.getppid() == watchdog:
        processors = os.sched_getaffinity(watchdog) if board[NEEDED] else ()
        rest_s = min(most_s, max(least_s, ROUND_S / max(1, len(processors))))
        if not processors:
            time.sleep(rest_s)
        for processor in processors:
            board[PLACE] = processor
            _visit(processor, suspected=bool(board[SUSPECT]))
            board[VISITS] += 1
            time.sleep(rest_s)


def _visit(processor: int, *, suspected: bool) -> None:
    """Run there; where there is a suspicion, until it got more than throttling would leave."""
    set_out_s = time.monotonic()
    try:
        os.sched_setaffinity(0, {processor})
    except OSError:
        return  # it went offline, or out of our cpuset
    if not suspected and time.monotonic() - set_out_s < LATE_S:
        return
    enough_s = time.thread_time() + SHARE_S
    while time.thread_time() < enough_s:
        pass
