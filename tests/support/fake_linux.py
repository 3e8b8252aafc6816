"""Scheduling and a lease that exist in numbers alone, and the threads they know."""

from __future__ import annotations

import os
from functools import partial

from controller.errors import SchedulingRefusedError, StarvationError
from controller.linux.scheduling import REALTIME, Scheduling, ThreadId
from controller.plants.threads.audio_threads import WatchedThreads
from controller.watchdog.restoration import Original
from policies.knobs import ThreadClass
from policies.observation import Reading

AUDIO, BACKGROUND = ThreadId(11, 1), ThreadId(22, 1)


FOUND = Scheduling(os.SCHED_OTHER, 0, 0, frozenset(os.sched_getaffinity(0)))


class FakeLinux:
    """Schedules whatever it is told, but for the threads it refuses to touch."""

    def __init__(self) -> None:
        self.now = {AUDIO: FOUND, BACKGROUND: FOUND}
        self.refuses: set[ThreadId] = set()

    def write(self, thread: ThreadId, wanted: Scheduling) -> None:
        if wanted.priority > 99:
            raise SchedulingRefusedError(
                thread.tid, str(wanted), "no such priority", "ask for less"
            )
        if thread in self.refuses:
            raise SchedulingRefusedError(thread.tid, str(wanted), "not permitted", "ask root")
        self.now[thread] = wanted


class FakeLease:
    """Holds threads, and restores them as it found them."""

    def __init__(self, linux: FakeLinux) -> None:
        self.linux = linux
        self.held: dict[ThreadId, Original] = {}
        self.starved: StarvationError | None = None

    def register(self, *threads: ThreadId, wanted: dict[ThreadId, ThreadClass]) -> None:
        if self.starved is not None:
            raise self.starved
        for thread in threads:
            self.held.setdefault(thread, Original(self.linux.now[thread], 0))

    def renew(self) -> bool:
        return self.starved is None

    def originals(self) -> dict[ThreadId, Original]:
        return self.held

    def deregister(self, threads: set[ThreadId]) -> None:
        for thread in threads:
            self.linux.now[thread] = self.held.pop(thread).scheduling

    def restore(self) -> None:
        for thread, original in self.held.items():
            self.linux.now[thread] = original.scheduling
        self.held = {}


class FakeThreads:
    """Audio threads as the test names them."""

    def __init__(self) -> None:
        self.found: dict[ThreadId, Scheduling] = {AUDIO: FOUND}
        self.background: tuple[ThreadId, ...] = ()
        self.reread = partial(WatchedThreads.reread, self)  # type: ignore[arg-type]

    def look(self, *_: object) -> None: ...

    def rest(self, *_: object) -> None: ...

    def readings(self) -> dict[str, Reading]:
        return {}

    def classes(self) -> dict[str, list[ThreadId]]:
        own = [thread for thread, how in self.found.items() if how.policy not in REALTIME]
        return {"audio": own, "background": []}

    def realtime_priority(self) -> int | None:
        return None
