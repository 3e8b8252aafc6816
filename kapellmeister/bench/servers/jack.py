"""A JACK server without a sound card, a client that plays on it, and hogs that disturb both."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from controller.errors import PlantError
from kapellmeister.bench.servers.rig import HOG, SETTLING_S, Rig, monitor, program
from kapellmeister.calibration.jack_client import load_jack

SERVER = "kapellmeister-bench"
"""Name of every server: JACK has room for eight, and keeps those of servers that were killed."""
FOUND_FRAMES = 256
COMMAND = ("jackd", "-n", SERVER, "-r", "-d", "dummy", "-r", "48000", "-p", f"{FOUND_FRAMES}")
PLAYER = "kapellmeister.bench.servers.jack_player"
MONITOR = "controller.plants.jack.monitor"
ONSET_S = 2.0


@contextmanager
def jack_rig(hogs: int, *player_options: str) -> Iterator[Rig]:
    """Play until the end of the block, at 48 kHz, no thread of it real-time.

    Raises PlantError where JACK is not installed or does not start.
    """
    load_jack()
    if shutil.which("jackd") is None:
        raise PlantError("jack", "jackd is not installed", "install the package jackd2")
    environment = {**os.environ, "JACK_NO_AUDIO_RESERVATION": "1", "JACK_DEFAULT_SERVER": SERVER}
    with ExitStack() as stack:
        server = stack.enter_context(program(COMMAND, environment))
        time.sleep(SETTLING_S)
        if server.poll() is not None:
            why = f"jackd ended with status {server.returncode}"
            raise PlantError("jack", why, "see whether another server of that name runs")
        command = (sys.executable, "-m", PLAYER, *player_options)
        player = stack.enter_context(program(command, environment))
        if player.stdout is None or not player.stdout.readline():
            raise PlantError("jack", "the client did not start", "see `kapellmeister doctor`")
        link = stack.enter_context(monitor(MONITOR, environment))
        for _ in range(hogs):
            stack.enter_context(program(HOG, environment))
        time.sleep(SETTLING_S)
        yield Rig("jack", link, environment, FOUND_FRAMES, "xruns", ONSET_S)
