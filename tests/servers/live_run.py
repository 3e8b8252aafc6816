"""`kapellmeister run` on a real server, its journal so far, and how threads are scheduled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import pytest

from controller.errors import JournalError
from controller.journal.reader import JournalReader
from controller.linux.prctl import dying_with_parent
from controller.tick import Tick
from policies.observation import Observation

EAGER, LONGER, LONGER_ONCE_ASKED = (
    f"{Path(__file__).with_name('eager_policies.py')}:{name}"
    for name in ("Eager", "Longer", "LongerOnceAsked")
)
HOG = (sys.executable, "-c", "while True: pass")


class Server(Protocol):
    """A server of either kind."""

    plant: str
    environment: Mapping[str, str]


class Run:
    """The command on a server; as a context, it is ended with SIGTERM at the latest."""

    def __init__(
        self,
        server: Server,
        directory: Path,
        *options: str,
        plant: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.report, self.state = directory / "run.json", directory / "state"
        where = ("--plant", plant or server.plant, "--state-dir", str(self.state))
        command = ("run", *where, *options, "--json", str(self.report))
        self.process = subprocess.Popen(
            dying_with_parent(sys.executable, "-m", "kapellmeister", *command),
            env=environment or server.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdout is not None
        if not self.process.stdout.closed:
            self.end(signal.SIGTERM)

    def awaits_ticks(self, count: int) -> None:
        """Wait until the loop has made `count` ticks."""
        awaits(lambda: len(self.ticks()) >= count, 20.0, f"fewer than {count} ticks")

    def awaits_more_ticks(self, count: int) -> None:
        """Wait until the loop has made `count` more ticks."""
        self.awaits_ticks(len(self.ticks()) + count)

    def awaits_event(self, event: str) -> None:
        """Wait until the plant has told something in which these words are."""
        awaits(lambda: any(event in text for text in self.events()), 20.0, f"no event {event!r}")

    def end(self, how: signal.Signals | None = None) -> str:
        """Wait for its end, which that signal may bring; what it said."""
        if how is not None:
            self.process.send_signal(how)
        return self.process.communicate(timeout=30)[0]

    def figures(self) -> dict[str, Any]:
        """The report that it wrote at its end."""
        figures: dict[str, Any] = json.loads(self.report.read_text())
        return figures

    def ticks(self) -> list[Tick]:
        """The ticks so far."""
        path = self.state / "journal.sqlite3"
        if not path.exists():
            return []
        try:
            with JournalReader(path) as reader:
                return [tick for run in reader.runs() for tick in reader.ticks(run.number)]
        except JournalError:  # it is being made
            return []

    def monitor(self) -> int:
        """The process that listens to the server for it."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for pid in map(int, children.read_text().split()):
            if b".monitor" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        pytest.fail("no monitor runs")

    def watchdogs(self) -> list[int]:
        """The watchdog, and its canary."""
        listed = subprocess.run(("ps", "-ww", "-eo", "pid,args"), capture_output=True, text=True)
        of_this = f"controller.watchdog.watchdog {self.process.pid} "
        return [int(row.split()[0]) for row in listed.stdout.splitlines() if of_this in row]

    def freewheels(self) -> bool:
        """Whether no deadline held in the last tick."""
        return any(tick.observation.no_deadline for tick in self.ticks()[-1:])

    def check_freewheel_was_left_alone(self, cycles_per_s: float) -> None:
        """Nothing was counted or turned in it, nobody was blamed, and not more than is played."""
        seen = [tick.observation for tick in self.ticks()]
        free = [tick for tick in self.ticks() if tick.observation.no_deadline]
        whys = {tick.observation.no_deadline for tick in free}
        assert whys <= {"the server freewheels", "of what plays no cycle is known yet"}
        assert [tick.changes for tick in free if tick.changes] == []
        assert [tick.observation.blocks for tick in free if tick.observation.blocks] == []
        counted = [each for each in seen if each.blocks is not None]
        submitted = sum(each.blocks.submitted for each in counted if each.blocks is not None)
        assert submitted <= (sum(map(_span_s, counted)) + 0.5) * cycles_per_s
        assert self.blamed() == []

    def blamed(self) -> list[str]:
        """Alarms and obstacles that are put down to another hand."""
        told = (*self.alarms(), *self.unavailable())
        return [text for text in told if "another hand" in text]

    def events(self) -> set[str]:
        """The events of the plant so far."""
        return {event for tick in self.ticks() for event in tick.observation.events}

    def alarms(self) -> list[str]:
        """All alarms so far."""
        return [text for tick in self.ticks() for text in tick.alarms]

    def unavailable(self) -> set[str]:
        """Why a knob could not be turned, so far."""
        return {text for tick in self.ticks() for text in tick.unavailable.values()}


def _span_s(seen: Observation) -> float:
    """How long it counted."""
    return seen.interval_s if seen.counted_s is None else seen.counted_s[1] - seen.counted_s[0]


def awaits(condition: Callable[[], object], patience_s: float, otherwise: str) -> None:
    """Wait for what a test needs before it goes on, and fail where that does not come."""
    if not soon(condition, patience_s):
        pytest.fail(f"{otherwise} within {patience_s:.0f} s")


def soon(condition: Callable[[], object], patience_s: float) -> bool:
    """Whether the condition comes true in that time, asked twenty times a second."""
    until_s = time.monotonic() + patience_s
    while not (holds := bool(condition())) and time.monotonic() <= until_s:
        time.sleep(0.05)
    return holds


Schedule = tuple[int, int, int]
"""Policy, real-time priority and nice of a thread."""
ORDINARY: Schedule = (os.SCHED_OTHER, 0, 0)


def schedules(pid: int) -> dict[int, Schedule]:
    """How each thread of a process is scheduled now, by its id; none where it has ended."""
    found = {}
    try:
        threads = [int(each.name) for each in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return {}
    for thread in threads:
        try:
            found[thread] = schedule(thread)
        except ProcessLookupError:  # it has ended since
            continue
    return found


def schedule(thread: int) -> Schedule:
    """How a thread is scheduled. Raises ProcessLookupError where there is none."""
    policy = os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK
    priority = os.sched_getparam(thread).sched_priority
    return policy, priority, os.getpriority(os.PRIO_PROCESS, thread)


def moved(found: Mapping[int, Schedule], now: Mapping[int, Schedule]) -> dict[int, Schedule]:
    """The threads that are not scheduled as they were found, or as new ones are where nobody is."""
    return {thread: how for thread, how in now.items() if how != found.get(thread, ORDINARY)}


def realtime(pid: int) -> set[int]:
    """The threads of a process that are real-time now."""
    return {thread for thread, how in schedules(pid).items() if how[0] == os.SCHED_FIFO}
