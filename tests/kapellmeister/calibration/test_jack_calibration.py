"""`kapellmeister calibrate --plant jack` as a user meets it: a real server, a real client."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.errors import MissingExtraError, PlantError
from kapellmeister.calibration.jack_client import load_jack

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

COMMAND = (sys.executable, "-m", "kapellmeister", "calibrate", "--plant", "jack", "--seconds", "1")


class Server:
    """A jackd without a sound card, under a name of its own; long blocks, since others work."""

    def __init__(self) -> None:
        # Always the same: JACK has room for eight names, and keeps those that were killed.
        self.name = "kapellmeister-test"
        realtime = ("-R", "-P", "80") if os.geteuid() == 0 else ("-r",)
        command = ("jackd", "-n", self.name, *realtime, "-d", "dummy", "-r", "48000", "-p", "1024")
        self.environment = {**os.environ, "JACK_DEFAULT_SERVER": self.name}
        self.process = subprocess.Popen(
            command,
            env={**self.environment, "JACK_NO_AUDIO_RESERVATION": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Our command, against this server."""
        return subprocess.Popen(
            (*COMMAND, *options),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def client_at_work(self) -> int:
        """The process of our client, as the server tells somebody else; 0 for none."""
        code = "import jack; jack.Client('looker'); print(jack.client_pid('kapellmeister'))"
        found = subprocess.run(
            (sys.executable, "-c", code),
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(found.stdout.split()[-1])

    def end(self) -> None:
        """Stop it, and leave nothing."""
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def server() -> Iterator[Server]:
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed")
    try:
        load_jack()
    except (MissingExtraError, PlantError) as error:
        pytest.skip(str(error))
    started = Server()
    time.sleep(1.0)
    if started.process.poll() is not None:
        pytest.fail(f"jackd ended with status {started.process.returncode}")
    yield started
    started.end()


def clients_at_work() -> list[int]:
    """Processes in which a client of ours renders."""
    found = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().startswith("km-jack"):
                found.append(int(comm.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_server_is_calibrated_and_left_as_it_was(server: Server, tmp_path: Path) -> None:
    out, report = tmp_path / "here.toml", tmp_path / "report.json"
    before = clients_at_work()
    process = server.start("--out", str(out), "--json", str(report))
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    assert "The machine was" in stdout
    figures = json.loads(report.read_text())
    assert figures["plant"] == "jack"
    assert figures["per_stream_ms"] > 0.0
    assert len(figures["held_out"]) == 3
    for point in figures["held_out"]:
        assert all(math.isfinite(error) and -0.9 < error < 3.0 for error in point["errors"])
        assert 0.0 < point["measured_ms"][0] < 100.0
    assert "period_ms = 21.33" in out.read_text()
    assert clients_at_work() == before
    assert server.process.poll() is None
    assert server.client_at_work() == 0


def test_a_server_that_dies_ends_the_command_in_one_line(server: Server) -> None:
    before = clients_at_work()
    process = server.start()
    until_s = time.monotonic() + 60.0
    while clients_at_work() == before and time.monotonic() < until_s:
        time.sleep(0.1)
    time.sleep(1.0)
    server.process.send_signal(signal.SIGKILL)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "plant jack: " in stderr
    assert "Traceback" not in stderr
    assert clients_at_work() == before
