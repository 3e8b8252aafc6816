"""Minutes of `kapellmeister run` in which all happens that may happen to a server in a day.

They take KAPELLMEISTER_TEST_SOAK_S seconds, ten minutes where that is not set.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import jack_server
import pipewire_server
import pytest
from bystanders import LURE, Bystanders
from live_run import HOG, Run, awaits, moved, realtime

from controller.linux.prctl import dying_with_parent

SECONDS = float(os.environ.get("KAPELLMEISTER_TEST_SOAK_S", "600"))
CLIENT_EVERY_S = 10.0
NOBODY = 65534
SECOND, LONG = "second-sink", 1024
Event = tuple[float, Callable[[], object]]
"""Share of the time after which something happens, and what."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 180.0)]


class Second:
    """A second device of a PipeWire server, at a period of its own, and what became of that."""

    def __init__(self, server: pipewire_server.Server, log: Path) -> None:
        self._server, self._log = server, log
        self.forced: set[int] = set()
        self._plays = True
        self.start()

    def start(self) -> None:
        """Have it play, and noted down what it plays."""
        self._server.add_sink(SECOND)
        self._client = self._server.play(LONG, SECOND)
        self._server.runs("sh", "-c", f"exec stdbuf -oL pw-top -b >>{self._log}")

    def look(self) -> None:
        """Note what is forced on it as well, as far as the server tells now."""
        if self._plays:
            self.forced |= {self._server.forced()} - {-1}

    def end(self) -> None:
        """Have it play no more; what is forced from now on does not concern it."""
        self._plays = False
        self._server.stop(self._client)

    def played(self) -> set[str]:
        """Its periods at 48 kHz, as far as pw-top told: that of Debian 12 tells a terminal only."""
        rows = [line.split() for line in self._log.read_text().splitlines()]
        own = [row for row in rows if row[-1] == SECOND and row[0] == "R" and row[-2] != "+"]
        return {row[2] for row in own if row[3] == "48000"}


@pytest.mark.parametrize("build", pipewire_server.BUILDS)
def test_on_pipewire_nothing_else_is_touched_and_all_is_restored(
    build: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(pipewire_server.serving(build, forced=0))
        user = NOBODY if os.getuid() == 0 else os.getuid()
        stack.enter_context(pipewire_server.serving(build, user=user))  # somebody else's session
        stack.enter_context(programs((sys.executable, "-c", LURE), *[HOG] * 4))
        second, exporter = Second(server, tmp_path / "log"), server.jack_client("exporter")
        exporter.does(f"connect {pipewire_server.SINK}")
        newest: list[int] = []

        def join() -> None:
            newest.append(server.play())
            if len(newest) > 1:
                server.stop(newest.pop(0))

        def restart() -> None:
            newest.clear()
            server.kill()
            server.start()
            second.start()

        found, bystanders = server.started(), Bystanders(server.processes())
        run = Run(server, tmp_path, "--act")
        try:
            events = [
                (0.15, lambda: exporter.does("freewheel 1")),
                (0.25, lambda: exporter.does("freewheel 0")),
                (0.35, restart),
                (0.55, lambda: server.set("clock.force-rate", 44_100)),
                (0.70, lambda: server.set("clock.force-rate", 0)),
                (0.85, second.end),
            ]
            spend(run, [*events, *every(CLIENT_EVERY_S, join)], bystanders.look, second.look)
            awaits(lambda: any(map(realtime, server.processes())), 10.0, "nothing is raised")
        finally:
            said = run.end(signal.SIGTERM)
        assert run.process.returncode == 0, said
        check(run, bystanders)
        assert second.forced == {0}
        assert second.played() <= {str(LONG)}
        assert bool(second.played()) == (build == "unpacked")
        assert moved(found, server.started()) == {}
        assert server.setting("clock.force-quantum") == 0
        assert server.setting("clock.force-rate") == 0


def test_on_jack_nothing_else_is_touched_and_all_is_restored(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(jack_server.serving(period=128))
        beside = stack.enter_context(jack_server.serving(f"{jack_server.NAME}-beside"))
        beside.client("another")
        stack.enter_context(programs((sys.executable, "-c", LURE), *[HOG] * 4))
        exporter = server.client("exporter")
        newest: list[jack_server.ScriptedClient] = []
        names = map("client-{}".format, count())  # JACK remembers those of clients that were killed

        def join() -> None:
            newest.append(server.client(next(names)))
            if len(newest) > 1:
                newest.pop(0).end()

        def restart() -> None:
            newest.clear()
            server.kill()
            server.start()

        found, bystanders = server.schedules(), Bystanders(server.processes())
        run = Run(server, tmp_path, "--act")
        try:
            events = [
                (0.15, lambda: exporter.does("freewheel 1")),
                (0.25, lambda: exporter.does("freewheel 0")),
                (0.45, lambda: exporter.does("period 256")),
                (0.60, lambda: exporter.does("period 128")),
                (0.70, restart),
            ]
            spend(run, [*events, *every(CLIENT_EVERY_S, join)], bystanders.look)
            awaits(lambda: any(map(realtime, server.processes())), 10.0, "nothing is raised")
        finally:
            said = run.end(signal.SIGTERM)
        assert run.process.returncode == 0, said
        check(run, bystanders)
        assert "the server freewheels" in {tick.observation.no_deadline for tick in run.ticks()}
        assert moved(found, server.schedules()) == {}


def spend(run: Run, events: list[Event], *looks: Callable[[], None]) -> None:
    """Let the time pass, and happen what is to happen."""
    began_s, due = time.monotonic(), sorted(events, key=lambda each: each[0])
    while (share := (time.monotonic() - began_s) / SECONDS) < 1.0:
        assert run.process.poll() is None, run.end()
        while due and due[0][0] <= share:
            due.pop(0)[1]()
        for look in looks:
            look()
        time.sleep(1.0)


def every(seconds: float, happens: Callable[[], object]) -> list[Event]:
    return [(share * seconds / SECONDS, happens) for share in range(1, int(SECONDS / seconds))]


@contextmanager
def programs(*commands: tuple[str, ...]) -> Iterator[None]:
    started = [subprocess.Popen(dying_with_parent(*each)) for each in commands]
    try:
        yield
    finally:
        for each in started:
            each.kill()
            each.wait()


def check(run: Run, bystanders: Bystanders) -> None:
    bystanders.look()
    assert bystanders.changed == set()
    assert bystanders.looks > SECONDS / 4
    assert run.blamed() == []
    events = " ".join(run.events())
    assert "is gone" in events
    assert "plays again" in events
