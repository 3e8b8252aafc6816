"""A client of a JACK server that plays nothing, in a process of its own, and reports the server.

`python -m controller.plants.jack.monitor` prints one JSON object a line, several a second, and
takes orders (`period 512`) on its input. libjack may hang or abort with its server; here it
takes nobody with it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from typing import Any

from controller.monitors.monitor import Line, orders, report
from controller.plants.audio_server.original_setting import OriginalSetting
from controller.plants.jack.cycle_watch import CycleWatch
from controller.plants.jack.freewheel import Freewheel
from controller.plants.jack.server import connected_server, still_runs
from controller.watchdog.restoration import LEFT_ALONE

NAME = "kapellmeister"
LINE_EVERY_S = 0.2
NOT_INSTALLED = "libjack is not installed", "install JACK (the package jackd2, often)"
NO_SERVER = "no server answers", "start one, or name it in JACK_DEFAULT_SERVER"
OF_PIPEWIRE = "the libjack found here is PipeWire's, whose server is no JACK", "--plant pipewire"
"""Reasons why no server is joined, each with its remedy."""


def is_of_pipewire(version: str) -> bool:
    """Whether a libjack of this version talks to PipeWire: "3.1.4.2 (using PipeWire 1.4.2)"."""
    return "pipewire" in version.lower()


class Monitor:
    """Counts what the server calls back for, and changes its period."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._server = connected_server()
        self._xruns = self._graph = 0
        self._gap_ms = 0.0
        self._freewheel = Freewheel()
        self._players = {_owner(port) for port in client.get_ports(is_audio=True)}
        self._joined = 0
        self.ended: str | None = None
        client.set_xrun_callback(self._note_xrun)
        client.set_client_registration_callback(self._note_graph)
        client.set_port_registration_callback(self._note_port)
        client.set_freewheel_callback(self._freewheel.tell)
        client.set_shutdown_callback(self._note_end)
        client.activate()

    def line(self) -> Line:
        """The state of the server now; `frames` counts those of cycles that have begun."""
        client = self._client
        now_ns, frames = time.monotonic_ns(), client.last_frame_time
        return {
            "time_ns": now_ns,
            "server": self._server,
            "freewheel": self._freewheel.lasts(now_ns, frames, client.samplerate),
            "joined": self._joined,
            "frames": frames,
            "period_frames": client.blocksize,
            "sample_rate_hz": client.samplerate,
            "realtime": bool(client.realtime),
            "dsp_load": client.cpu_load() / 100.0,
            "xruns": self._xruns,
            "graph": self._graph,
            "gap_ms": self._gap_ms,
        }

    def set_period(self, frames: int) -> None:
        """Change the period, and add the time in which nothing was played to `gap_ms`.

        Frames go on to be counted meanwhile or not, as the driver likes; what is measured is
        the time between two cycles, so it is looked for all along, and a period of it is not
        a gap.
        """
        watch = CycleWatch(self._client)
        try:
            self._client.blocksize = frames
        finally:
            longest_s = watch.stop()
        period_s = frames / self._client.samplerate
        self._gap_ms += 1000.0 * max(0.0, longest_s - period_s)

    def _note_xrun(self, _delayed_us: float) -> None:
        self._xruns += 1

    def _note_graph(self, name: str, registered: bool) -> None:
        self._graph += 1
        if not registered:
            self._players.discard(name)

    def _note_port(self, port: Any, registered: bool) -> None:
        """A client that has audio ports plays; one without merely asks the server something."""
        if registered and port is not None and (name := _owner(port)) not in self._players:
            self._players.add(name)
            self._joined += 1

    def _note_end(self, _status: object, reason: str) -> None:
        self.ended = reason or "the server has ended"


def _owner(port: Any) -> str:
    """The client that a port belongs to."""
    return str(port.name).partition(":")[0]


def main() -> None:
    """Report until the server or the controller ends; the last line says why nothing could be.

    With arguments, restore the server's period as they say, and end.
    """
    if len(sys.argv) > 1:
        os._exit(_restore(OriginalSetting.parse(sys.argv[1:])))
    report(_lines())


def _restore(original: OriginalSetting) -> int:
    """The status to end with. A server that is gone is not waited for."""
    if not still_runs(original.server):
        return LEFT_ALONE
    import jack

    client = jack.Client(NAME, no_start_server=True)
    if not original.is_ours(connected_server(), client.blocksize):
        return LEFT_ALONE
    client.blocksize = original.found
    return 0


def _lines() -> Generator[Line, None, None]:
    try:
        import jack
    except ImportError:
        yield {"error": ["the package JACK-Client is missing", "pip install 'kapellmeister[jack]'"]}
        return
    except OSError:
        yield {"error": NOT_INSTALLED}
        return
    if is_of_pipewire(jack.version_string()):  # whose driver would wait for us in each cycle
        yield {"error": OF_PIPEWIRE}
        return
    try:
        monitor = Monitor(jack.Client(NAME, no_start_server=True))
    except jack.JackError:
        yield {"error": NO_SERVER}
        return
    parent = os.getppid()
    while os.getppid() == parent:
        if monitor.ended is not None:
            yield {"error": [monitor.ended, "start it again"]}
            return
        yield monitor.line()
        refused = _obey(monitor, jack.JackError)
        if refused is not None:
            yield {"refused": refused}


def _obey(monitor: Monitor, refusal: type[Exception]) -> str | None:
    """Carry out the orders that came until the next line is due; what was refused, and why."""
    for order in orders(LINE_EVERY_S):
        try:
            monitor.set_period(int(order[1]))
        except refusal as error:
            return f"the server refused a period of {order[1]} frames: {error}"
    return None


if __name__ == "__main__":
    main()
