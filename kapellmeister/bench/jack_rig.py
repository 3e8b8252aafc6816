"""A JACK server without a sound card, a client that plays on it, and hogs that disturb both."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from controller.errors import PlantError
from controller.plants.monitor_link import MonitorLink
from controller.prctl import dying_with_parent
from kapellmeister.bench.windows import Window
from kapellmeister.jack_client import load_jack

SERVER = "kapellmeister-bench"
"""Always the same: JACK has room for eight names, and keeps those of servers that were killed."""
FOUND_FRAMES = 256
COMMAND = ("jackd", "-n", SERVER, "-r", "-d", "dummy", "-r", "48000", "-p", f"{FOUND_FRAMES}")
PLAYER = "kapellmeister.bench.jack_player"
MONITOR = "controller.plants.jack.monitor"
HOG = "while True: pass"
PATIENCE_S = 20.0
SETTLING_S = 1.0


@dataclass(frozen=True, slots=True)
class JackRig:
    """Who watches the server, and the environment in which it is found."""

    monitor: MonitorLink
    environment: dict[str, str]

    def line(self) -> dict[str, Any]:
        """The state of the server from now on. Raises PlantError where it is silent."""
        asked_ns = time.monotonic_ns()
        while lines := self.monitor.wait(PATIENCE_S):
            if lines[-1]["time_ns"] > asked_ns:  # not one that waited in the pipe
                return lines[-1]
        raise PlantError("jack", *self.monitor.error)

    def window(self, seconds: float) -> Window:
        """What happens in the seconds from now on."""
        before = self.line()
        time.sleep(seconds)
        now = self.line()
        return Window(
            seconds=(now["time_ns"] - before["time_ns"]) / 1e9,
            xruns=now["xruns"] - before["xruns"],
            gap_ms=now["gap_ms"] - before["gap_ms"],
        )


@contextmanager
def jack_rig(hogs: int, *player_options: str) -> Iterator[JackRig]:
    """Play until the end of the block, at 48 kHz, no thread of it real-time.

    Raises PlantError where JACK is not installed or does not start.
    """
    load_jack()
    if shutil.which("jackd") is None:
        raise PlantError("jack", "jackd is not installed", "install the package jackd2")
    environment = {**os.environ, "JACK_NO_AUDIO_RESERVATION": "1", "JACK_DEFAULT_SERVER": SERVER}
    with ExitStack() as stack:
        server = stack.enter_context(_process(COMMAND, environment))
        time.sleep(SETTLING_S)
        if server.poll() is not None:
            why = f"jackd ended with status {server.returncode}"
            raise PlantError("jack", why, "see whether another server of that name runs")
        command = (sys.executable, "-m", PLAYER, *player_options)
        player = stack.enter_context(_process(command, environment))
        if player.stdout is None or not player.stdout.readline():
            raise PlantError("jack", "the client did not start", "see `kapellmeister doctor`")
        monitor = _monitor(environment)
        stack.callback(monitor.close)
        for _ in range(hogs):
            stack.enter_context(_process((sys.executable, "-c", HOG), environment))
        time.sleep(SETTLING_S)
        yield JackRig(monitor, environment)


@contextmanager
def _process(command: tuple[str, ...], environment: dict[str, str]) -> Iterator[Any]:
    """A process that ends with the block, in good order, and with this process at the latest."""
    process = subprocess.Popen(
        dying_with_parent(*command),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()


def _monitor(environment: dict[str, str]) -> MonitorLink:
    before = os.environ.get("JACK_DEFAULT_SERVER")
    os.environ["JACK_DEFAULT_SERVER"] = environment["JACK_DEFAULT_SERVER"]
    try:
        return MonitorLink(MONITOR)
    finally:
        if before is None:
            del os.environ["JACK_DEFAULT_SERVER"]
        else:
            os.environ["JACK_DEFAULT_SERVER"] = before
