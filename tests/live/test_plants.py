"""Plants of real servers and processes keep to what is asked of every plant."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from jack_server import serving as jack_serving
from pipeline_spec import SPEC
from pipewire_server import serving as pipewire_serving

from controller.clock import WallClock
from controller.config.config import Config, SidecarSection
from controller.linux.permissions import permitted
from controller.plants.builtin.pipeline_process import start_pipeline
from controller.plants.builtin.plant import BuiltinPlant
from controller.plants.checks import CHECKS, check
from controller.plants.jack.plant import attach as attach_to_jack
from controller.plants.pipewire.plant import PipeWirePlant
from controller.plants.plant import Plant, Surroundings
from controller.plants.process.plant import ProcessPlant
from controller.watchdog.lease import Lease

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

INTERVAL_S = 0.5
PLAYER = """
import time
due = time.monotonic()
print("playing", flush=True)
while True:
    due = max(due + 256 / 48000, time.monotonic())
    time.sleep(max(0.0, due - time.monotonic()))
"""
LONG = SPEC.model_copy(update={"duration_s": 60.0})


def an_interval(_: Plant) -> None:
    time.sleep(INTERVAL_S)


@pytest.fixture
def lease() -> Iterator[Lease]:
    with Lease.start() as started:
        yield started


def attaching(
    kind: Callable[[Surroundings], Plant], lease: Lease, config: Config | None = None
) -> Callable[[], Plant]:
    """Attaches a plant to what now plays."""
    return lambda: kind(Surroundings(config or Config(), WallClock(), lease, permitted()))


@pytest.mark.parametrize("name", CHECKS)
def test_the_built_in_pipeline_passes(name: str, tmp_path: Path, lease: Lease) -> None:
    started, numbers = [], count()

    def start() -> BuiltinPlant:
        directory = tmp_path / str(next(numbers))
        directory.mkdir()
        started.append(start_pipeline(directory, LONG))
        return BuiltinPlant(directory, LONG, WallClock(), lease, permitted(), INTERVAL_S)

    check(name, start, an_interval)
    for pipeline in started:
        pipeline.wait(10)


@pytest.mark.parametrize("name", CHECKS)
def test_the_plant_of_a_process_passes(name: str, lease: Lease) -> None:
    with subprocess.Popen((sys.executable, "-c", PLAYER), stdout=subprocess.PIPE) as player:
        assert player.stdout is not None
        player.stdout.readline()
        named = SidecarSection(processes=(str(player.pid),))
        config = Config.model_construct(sidecar=named)
        try:
            check(name, attaching(ProcessPlant, lease, config), an_interval)
        finally:
            player.kill()


@pytest.mark.parametrize("name", CHECKS)
def test_the_plant_of_a_jack_server_passes(
    name: str, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    with jack_serving() as server:
        monkeypatch.setenv("JACK_DEFAULT_SERVER", server.environment["JACK_DEFAULT_SERVER"])
        server.client("one")
        check(name, attaching(attach_to_jack, lease), an_interval)


@pytest.mark.parametrize("name", CHECKS)
def test_the_plant_of_a_pipewire_server_passes(
    name: str, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pipewire_serving() as server:
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        check(name, attaching(PipeWirePlant, lease), an_interval)
