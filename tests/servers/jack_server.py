"""A JACK server of our own for live tests: no sound card, and clients that do as they are told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from live_run import HOG, awaits, schedules

from controller.errors import KapellmeisterError
from controller.linux.prctl import dying_with_parent
from kapellmeister.calibration.jack_client import load_jack

NAME = "kapellmeister-live-test"
"""Always the same: JACK has room for eight names, and keeps those of servers that were killed."""
CLIENT_SCRIPT = Path(__file__).with_name("scripted_jack_client.py")
PATIENCE_S = 15.0


class ScriptedClient:
    """A client that does what it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self._hears()

    def does(self, order: str) -> str:
        """Have it do something, and wait until it is done; what it says."""
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return self._hears()

    def end(self) -> None:
        """End it without a word."""
        self._process.kill()
        self._process.communicate()

    def _hears(self) -> str:
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            pytest.fail("the client has ended")
        return said.strip()


class JackServer:
    """A server whose threads are ordinary ones unless `realtime`, and its clients."""

    plant = "jack"

    def __init__(self, name: str = NAME, *, realtime: bool = False, period: int = 256) -> None:
        self._name = name
        self.environment = {
            **os.environ,
            "JACK_NO_AUDIO_RESERVATION": "1",
            "JACK_DEFAULT_SERVER": name,
        }
        self._priority = ("-R", "-P", "80") if realtime else ("-r",)
        self._started: list[subprocess.Popen[str]] = []
        self._period = period

    def start(self, period: int | None = None) -> None:
        """Start the server, and wait until it answers."""
        driver = ("-d", "dummy", "-r", "48000", "-p", str(period or self._period))
        self.server = self.runs("jackd", "-n", self._name, *self._priority, *driver)
        self.pid = self.server.pid
        awaits(self._answers, PATIENCE_S, "no server came up")

    def kill(self) -> None:
        """Kill the server alone."""
        self.server.kill()
        self.server.wait()

    def client(self, name: str, *options: str) -> ScriptedClient:
        """Start a client, and wait until the server has it."""
        return ScriptedClient(
            self.runs(sys.executable, str(CLIENT_SCRIPT), name, *options, talks=True)
        )

    def hog(self, count: int) -> None:
        """Start programs that only compute."""
        for _ in range(count):
            self.runs(*HOG)

    def runs(self, *command: str, talks: bool = False) -> subprocess.Popen[str]:
        """Start a program, which ends with this server; `talks` is whether it says anything."""
        process = subprocess.Popen(
            dying_with_parent(*command),
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if talks else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._started.append(process)
        return process

    def processes(self) -> list[int]:
        """All that was started here."""
        return [each.pid for each in self._started]

    def schedules(self) -> dict[int, tuple[int, int, int]]:
        """How the threads of all that was started here are scheduled."""
        alive = (each.pid for each in self._started if each.poll() is None)
        return {tid: how for pid in alive for tid, how in schedules(pid).items()}

    def close(self) -> None:
        """End all of it."""
        for each in reversed(self._started):
            each.kill()
            each.communicate()

    def _answers(self) -> bool:
        if self.server.poll() is not None:
            pytest.fail(f"jackd ended with status {self.server.returncode}")
        asked = (sys.executable, str(CLIENT_SCRIPT), "asks", "--idle")
        done = subprocess.run(
            asked,
            env=self.environment,
            input="",
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        return done.returncode == 0


@contextmanager
def serving(name: str = NAME, **options: Any) -> Iterator[JackServer]:
    """A server, or the test is skipped where JACK is not installed."""
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed")
    try:
        load_jack()
    except KapellmeisterError as error:
        pytest.skip(str(error))
    server = JackServer(name, **options)
    try:
        server.start()
        yield server
    finally:
        server.close()
