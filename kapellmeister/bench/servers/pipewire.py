"""A PipeWire server without a sound card, a client that plays on it, and hogs that disturb both."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from controller.errors import PlantError
from kapellmeister.bench.servers.rig import HOG, PATIENCE_S, SETTLING_S, Rig, monitor, program

FOUND_FRAMES = 64
NEEDED = ("pipewire", "wireplumber", "pw-cli", "pw-metadata", "pw-play", "dbus-daemon")
SINK = "null-sink"
MADE = (
    f"{{ factory.name=support.null-audio-sink node.name={SINK} media.class=Audio/Sink"
    " object.linger=true audio.position=[FL FR] }"
)
MONITOR = "controller.plants.pipewire.monitor"
ONSET_S = 5.0
"""pw-top tells of a second when it is over, so the first misses are known two seconds later."""
RATE_HZ = 48_000
SILENCE_S = 4 * 3600
TURN_S = 0.1


@contextmanager
def pipewire_rig(hogs: int) -> Iterator[Rig]:
    """Play until the end of the block, at 48 kHz, no thread of it real-time.

    Of the build that comes first on PATH, in a session of its own. Raises PlantError where
    PipeWire is not installed or does not start.
    """
    missing = [each for each in NEEDED if shutil.which(each) is None]
    if missing:
        why = f"{', '.join(missing)} not installed"
        raise PlantError("pipewire", why, "install pipewire, pipewire-bin, wireplumber and dbus")
    with ExitStack() as stack:
        # The sockets need a short path.
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        environment = _session(Path(folder))
        bus = ("dbus-daemon", "--session", "--nofork", "--print-address")
        daemon = stack.enter_context(program(bus, environment))
        address = b"" if daemon.stdout is None else daemon.stdout.readline()
        environment["DBUS_SESSION_BUS_ADDRESS"] = address.decode().strip()
        for each in ("pipewire", "wireplumber"):
            stack.enter_context(program((*_ordinary(), each), environment))
            time.sleep(SETTLING_S)
        _tell(environment, "pw-cli", "create-node", "adapter", MADE)
        forced = ("clock.force-quantum", f"{FOUND_FRAMES}")
        _tell(environment, "pw-metadata", "-n", "settings", "0", *forced)
        silence = write_silence(Path(folder, "silence.wav"))
        player = (*_ordinary(), "pw-play", "--target", SINK, silence)
        stack.enter_context(program(player, environment))
        rig = Rig(
            "pipewire",
            stack.enter_context(monitor(MONITOR, environment)),
            environment,
            FOUND_FRAMES,
            "missed",
            ONSET_S,
        )
        _await_sound(rig)
        for _ in range(hogs):
            stack.enter_context(program(HOG, environment))
        time.sleep(SETTLING_S)
        yield rig


def _session(folder: Path) -> dict[str, str]:
    elsewhere = {"PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR"}
    places = ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME")
    kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
    return kept | dict.fromkeys(places, str(folder))


def _ordinary() -> tuple[str, ...]:
    """Root may be real-time, and so may PipeWire then, unlike as most users have it."""
    return ("setpriv", "--bounding-set", "-sys_nice") if os.getuid() == 0 else ()


def _tell(environment: dict[str, str], *command: str) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = f"{command[0]} failed: {done.stderr.strip()}"
        raise PlantError("pipewire", why, "see whether `pipewire` starts by hand")


def _await_sound(rig: Rig) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while (line := rig.line())["rests"] or line["period_frames"] != FOUND_FRAMES:
        if time.monotonic() > until_s:
            raise PlantError("pipewire", "nothing plays", "see whether `pw-play` plays by hand")
        time.sleep(TURN_S)


def write_silence(path: Path) -> str:
    """A file so long that it never ends, of which next to nothing takes room."""
    size = SILENCE_S * RATE_HZ * 2
    form = (b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", *form, b"data", size)
    path.write_bytes(header)
    os.truncate(path, len(header) + size)
    return str(path)
