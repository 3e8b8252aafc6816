"""A PipeWire server of our own for live tests: no sound card, a null sink, a client that plays.

Of two builds: the system's, and a later one that `.ci/unpack_pipewire` put beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jack_server import CLIENT_SCRIPT, ScriptedClient
from live_run import HOG, Schedule, awaits, schedules

from kapellmeister.bench.servers.pipewire import write_silence

QUANTUM = 64
SINK = "null-sink"
NEEDED = (
    *("pipewire", "wireplumber", "pw-cli", "pw-dump", "pw-metadata", "pw-play"),
    *("dbus-daemon", "setpriv"),
)
UNPACKED = "KAPELLMEISTER_TEST_PIPEWIRE"
"""Names the folder of the build beside the system's."""
BUILDS = ("system", "unpacked")
PLAYERS = ("pw-cat", "WirePlumber")


class Server:
    """A server in a folder of its own, whose threads are ordinary ones unless `realtime`.

    Without the privilege to be real-time, PipeWire plays on as most users have it: no thread of
    it is raised.
    """

    plant = "pipewire"

    def __init__(
        self,
        directory: Path,
        build: str = "system",
        *,
        realtime: bool = False,
        forced: int = QUANTUM,
        user: int = os.getuid(),
    ) -> None:
        self._directory = directory
        self._started: list[subprocess.Popen[str]] = []
        self._forced = forced
        self._as_user = _privileges(realtime, user)
        os.chown(directory, user, -1)
        self.environment = {
            **environment_of(build),
            "XDG_RUNTIME_DIR": str(directory),
            "HOME": str(directory),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "XDG_STATE_HOME": str(directory / "state"),
        }

    def open(self) -> None:
        """Start the session, and in it the server."""
        bus = self._start("dbus-daemon", "--session", "--nofork", "--print-address", talks=True)
        assert bus.stdout is not None
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        self._silence = write_silence(self._directory / "silence.wav")
        self.start()

    def start(self) -> None:
        """Start the server, its session manager and a client that plays, and wait for sound."""
        self.server = self._start("pipewire")
        awaits(lambda: self.says("pw-cli", "info", "0") is not None, 10.0, "no server came up")
        manager = self._start("wireplumber")
        self._of_server = [self.server, manager]
        self._clients: list[int] = []
        self.add_sink(SINK)
        self.set("clock.min-quantum", 32)  # in a virtual machine it may be 1024
        self.force(self._forced)
        self.play()

    def add_sink(self, name: str) -> None:
        """Make a device that plays into nothing, at its own pace, and wait for it."""
        made = (
            f"{{ factory.name=support.null-audio-sink node.name={name} media.class=Audio/Sink"
            " object.linger=true audio.position=[FL FR] }"
        )
        self.says("pw-cli", "create-node", "adapter", made)
        awaits(lambda: name in (self.says("pw-dump") or ""), 10.0, "no sink came up")

    def play(self, quantum: int = QUANTUM, sink: str = SINK, properties: str = "") -> int:
        """Start a client that plays on, and wait for sound; its process."""
        options = ("--latency", str(quantum), "--target", sink)
        wanted = ("env", f"PIPEWIRE_PROPS={{ {properties} }}") if properties else ()
        client = self._start(*wanted, "pw-play", *options, self._silence)
        self._of_server.append(client)
        self._clients.append(client.pid)
        awaits(lambda: client.pid in self._playing(), 20.0, "nothing plays")
        return client.pid

    def rest(self) -> None:
        """End every client that plays, and wait until no device is at work."""
        while self._clients:
            self.stop(self._clients[0])
        awaits(lambda: not self._playing(), 20.0, "it does not rest")

    def stop(self, client: int) -> None:
        """End a client that plays."""
        (process,) = (each for each in self._of_server if each.pid == client)
        _kill(process)
        self._of_server.remove(process)
        self._started.remove(process)
        self._clients.remove(client)

    def jack_client(self, name: str, *options: str) -> ScriptedClient:
        """Start a client of PipeWire's libjack, and wait until the server has it."""
        command = (sys.executable, str(CLIENT_SCRIPT), name, *options)
        path = f"LD_LIBRARY_PATH={self.libjack()}"
        return ScriptedClient(self._start("env", path, *command, talks=True))

    def libjack(self) -> str:
        """Where programs of JACK find the library by which they play on PipeWire instead."""
        found = self.environment.get("LD_LIBRARY_PATH", "/usr/lib/*")
        folders = [str(each) for each in Path("/").glob(f"{found.lstrip('/')}/pipewire-0.3/jack")]
        if not folders:
            pytest.skip("PipeWire's libjack is not installed")
        return ":".join((*folders, self.environment.get("LD_LIBRARY_PATH", "")))

    def kill(self) -> None:
        """Kill the server and what came with it."""
        for each in self._of_server:
            _kill(each)
            self._started.remove(each)

    def freeze(self, signal_number: int = signal.SIGSTOP) -> None:
        """Stop the server in its tracks, or have it go on by SIGCONT."""
        self.server.send_signal(signal_number)

    def close(self) -> None:
        """End all of it."""
        for each in reversed(self._started):
            _kill(each)

    def hog(self, count: int) -> None:
        """Start programs that only compute."""
        for _ in range(count):
            self._start(*HOG)

    def says(self, *command: str) -> str | None:
        """The output of a tool; None where it fails or hangs."""
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, timeout=3.0
            )
        except subprocess.TimeoutExpired:
            return None
        return done.stdout if done.returncode == 0 else None

    def force(self, quantum: int) -> None:
        """Have every driver play this quantum, as a user may."""
        self.set("clock.force-quantum", quantum)

    def set(self, name: str, value: int) -> None:
        """Change a setting of the server, as a user may."""
        self.says("pw-metadata", "-n", "settings", "0", name, str(value))

    def forced(self) -> int:
        """The quantum that is forced now."""
        return self.setting("clock.force-quantum")

    def setting(self, name: str) -> int:
        """A setting of the server; -1 where it does not tell."""
        said = self.says("pw-metadata", "-n", "settings", "0", name) or ""
        return int(said.rpartition("value:'")[2].partition("'")[0] or -1)

    def started(self) -> dict[int, Schedule]:
        """How each thread is scheduled of all that was started here and lives."""
        return {tid: how for each in self._started for tid, how in schedules(each.pid).items()}

    def processes(self) -> list[int]:
        """All that was started here."""
        return [each.pid for each in self._started]

    def scheduled(self) -> dict[int, Schedule]:
        """How each thread of the server and of its clients is scheduled now."""
        return {tid: how for pid in self._players() for tid, how in schedules(pid).items()}

    def _players(self) -> set[int]:
        clients = self._objects("Client")
        players = [each for each in clients if each["application.name"] in PLAYERS]
        return {self.server.pid, *(int(each["pipewire.sec.pid"]) for each in players)}

    def _playing(self) -> set[int]:
        """Processes of clients that have a node at work."""
        at_work = {
            each.get("client.id") for each in self._objects("Node") if each["state"] == "running"
        }
        return {
            int(each["pipewire.sec.pid"])
            for each in self._objects("Client")
            if each["object.id"] in at_work
        }

    def _objects(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind that the server has: their properties, and the state of each."""
        said, objects = (self.says("pw-dump") or "").strip(), []
        while said:  # pw-dump prints another array where something changed meanwhile
            some, end = json.JSONDecoder().raw_decode(said)
            objects += some
            said = said[end:].strip()
        infos = [
            each["info"]
            for each in objects
            if each.get("type", "").endswith(kind) and each.get("info") is not None
        ]
        return [{**info["props"], "state": info.get("state")} for info in infos]

    def runs(self, *command: str) -> None:
        """Start a program that ends with the server."""
        self._of_server.append(self._start(*command))

    def _start(self, *command: str, talks: bool = False) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            (*self._as_user, *command),
            env=self.environment,
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        self._started.append(process)
        return process


@contextmanager
def serving(build: str = "system", **options: Any) -> Iterator[Server]:
    """A server that plays, or the test is skipped where that build is not installed."""
    skip_without(build)
    with tempfile.TemporaryDirectory(prefix="km-", ignore_cleanup_errors=True) as directory:
        server = Server(Path(directory), build, **options)  # its sockets need a short path
        try:
            server.open()
            yield server
        finally:
            server.close()


def _privileges(realtime: bool, user: int) -> tuple[str, ...]:
    """The command before each command: without it that would outlive us, and may do all we may."""
    ends_with_us = ("setpriv", "--pdeathsig", "TERM")
    if os.getuid() != 0 or (realtime and user == 0):
        return ends_with_us
    if user == 0:
        return (*ends_with_us, "--bounding-set", "-sys_nice")
    return (*ends_with_us, f"--reuid={user}", f"--regid={user}", "--clear-groups")


def environment_of(build: str) -> dict[str, str]:
    """The environment in which the tools of this build are found."""
    if build == "system":
        return dict(os.environ)
    listed = ("sh", "-c", f'. "${UNPACKED}/environment" && env -0')
    said = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    return dict(each.partition("=")[::2] for each in said.rstrip("\0").split("\0"))


def skip_without(build: str) -> None:
    """Skip the test where this build is not to be had."""
    if build == "unpacked" and not os.environ.get(UNPACKED):
        pytest.skip(f"{UNPACKED} names no folder of .ci/unpack_pipewire")
    path = environment_of(build)["PATH"]
    missing = [each for each in NEEDED if shutil.which(each, path=path) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")


def _kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
