"""PipeWire's own tools, listened to in a process of its own: what the server tells.

`python -m controller.plants.pipewire.monitor` prints one JSON object a line, several a second, and
takes orders (`period 128`) on its input. The tools may hang with their server; here they keep
nobody waiting.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Generator

from controller.plants.monitor_process import Line, orders, report
from controller.plants.pipewire.meter import meter_for
from controller.plants.pipewire.pw_dump import Graph
from controller.plants.pipewire.tools import (
    REMEDY,
    dump,
    environment,
    forcing,
    missing_tool,
    run,
    version,
)
from controller.plants.put_back import PutBack
from controller.restoration import LEFT_ALONE

LINE_EVERY_S = 0.1
PIPE_BYTES = 1 << 20
"""Room for what a tool tells between two lines, however short the cycles are."""
PATIENCE_S = 4.0
"""How long a server may take to tell of itself and, where it plays, of a cycle: pw-top tells of
them once a second."""
SILENT_S = 3.0
"""A tool that tells of no cycle for so long while nodes are at work is started again: the driver
that it watched may be gone, and another at work."""
NO_SERVER = ("no server answers", "start one, or name its folder in XDG_RUNTIME_DIR")


class Tool:
    """A tool that goes on telling, and our end of the pipe that it tells into.

    It runs where nobody can write: pw-profiler leaves scripts behind where it ends.
    """

    def __init__(self, command: tuple[str, ...]) -> None:
        self.descriptor, theirs = os.pipe()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            cwd="/proc",
            env=environment(),
        )
        with contextlib.suppress(OSError):  # beyond what the system allows it stays as it is
            fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.close(theirs)
        self.ended = False

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def has_told(self) -> bool:
        """Whether there is something to read, the end included."""
        return not self.ended and bool(select.select([self.descriptor], [], [], 0.0)[0])

    def read(self) -> bytes:
        """What it has written."""
        chunk = os.read(self.descriptor, 1 << 20)
        self.ended |= not chunk
        return chunk

    def close(self) -> None:
        """End it."""
        os.close(self.descriptor)
        self._process.kill()
        self._process.wait()


class Monitor:
    """Listens to pw-dump and to what counts cycles, and has pw-metadata force the quantum."""

    def __init__(self) -> None:
        self._graph = Graph()
        self._meter = meter_for(version())
        self._dump = Tool(("pw-dump", "--monitor"))
        self._counting = Tool(self._meter.begin())
        self._counted, self._counted_s = 0.0, time.monotonic()

    @property
    def ended(self) -> bool:
        """Whether the server has."""
        return self._dump.ended

    def await_server(self) -> bool:
        """Whether one tells of itself, and of a cycle where any node is at work."""
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s and not self.ended:
            self.obey()
            if self._graph.is_known and (self._meter.quantum or not self._graph.plays):
                break
        return self._graph.is_known and not self.ended

    def obey(self) -> str | None:
        """Listen, and carry out orders, until a line is due; what was refused, and why."""
        refused = None
        told = () if self._dump.ended else (self._dump.descriptor,)
        for order in orders(LINE_EVERY_S, told, lambda _: self._graph.feed(self._dump.read())):
            why = run(forcing(int(order[1])))
            if why is not None:
                refused = f"the server refused to force a quantum of {order[1]}: {why}"
        # Once a line: to wake for each cycle would cost more than all that is made of them.
        if self._counting.has_told():
            self._meter.feed(self._counting.read(), self._graph.rate_hz)
        self._see_to_counting()
        return refused

    def line(self) -> Line:
        """The state of the server now."""
        graph = self._graph
        name, cookie = graph.server
        forced = graph.setting("clock.force-quantum")
        played = self._meter.quantum if graph.plays else 0
        return {
            **self._meter.line(),
            "time_ns": time.monotonic_ns(),
            "period_frames": played or forced or graph.setting("clock.quantum"),
            "sample_rate_hz": graph.rate_hz,
            "forced_frames": forced,
            "playing": graph.plays,
            "name": name,
            "cookie": cookie,
            "clients": graph.clients,
            "helpers": (self._dump.pid, self._counting.pid),
        }

    def close(self) -> None:
        """End the tools."""
        self._dump.close()
        self._counting.close()

    def _see_to_counting(self) -> None:
        """Start what counts again where it has not told of a cycle for long, and there are some."""
        now_s = time.monotonic()
        if self._meter.cycles != self._counted or not self._graph.plays:
            self._counted, self._counted_s = self._meter.cycles, now_s
        elif now_s - self._counted_s > SILENT_S:
            self._counting.close()
            self._counting = Tool(self._meter.begin())
            self._counted_s = now_s


def main() -> None:
    """Report until the server or the controller ends; why it could not is the last line.

    With arguments, put what the quantum is forced to back as they say, and end.
    """
    if len(sys.argv) > 1:
        sys.exit(put_back(PutBack.parse(sys.argv[1:])))
    report(_lines())


def put_back(wanted: PutBack) -> str | int | None:
    """The status to end with, or why it could not."""
    graph = Graph()
    graph.feed(dump())
    cookie, forced = str(graph.server[1]), graph.setting("clock.force-quantum")
    return run(forcing(wanted.found)) if wanted.is_due(cookie, forced) else LEFT_ALONE


def _lines() -> Generator[Line, None, None]:
    missing = missing_tool()
    if missing is not None:
        yield {"error": [f"{missing} is not installed", REMEDY]}
        return
    with contextlib.closing(Monitor()) as monitor:
        if not monitor.await_server():
            yield {"error": NO_SERVER}
            return
        while not monitor.ended:
            yield monitor.line()
            refused = monitor.obey()
            if refused is not None:
                yield {"refused": refused}
        yield {"error": ["the server has ended", "start it again"]}


if __name__ == "__main__":
    main()
