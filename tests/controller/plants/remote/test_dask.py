"""The mapping of a Dask scheduler, on a real one."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from fake_service import surroundings
from fakes import FakeClock

from controller.config.config import load_config
from controller.plants.remote.http import HttpClient
from controller.plants.remote.metrics import figures
from controller.plants.remote.plant import RemotePlant
from controller.plants.remote.scraper import Scrape, reader
from policies.observation import BlockCounts, Value, fresh

pytestmark = pytest.mark.dask
MAPPING = load_config(Path(__file__).parents[4] / "docs" / "remote" / "dask.toml").remote


@pytest.fixture
def farm():
    """A cluster of two workers and a client of it, with the dashboard's server."""
    distributed = pytest.importorskip("distributed")
    kept = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "memory_limit": 0}
    with (
        distributed.LocalCluster(**kept, dashboard_address="127.0.0.1:0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield cluster, client


def address(client):
    return f"http://127.0.0.1:{client.scheduler_info()['services']['dashboard']}/metrics"


def scrape(client, at_s):
    return Scrape(at_s, reader(HttpClient(5.0, None), address(client))())


def failing():
    raise ValueError


def test_tasks_are_blocks_and_workers_are_nodes(farm):
    _, client = farm
    assert client.submit(int).result() == 0
    before = scrape(client, 0.0)
    client.gather(client.map(time.sleep, [0.01] * 5, pure=False))
    assert isinstance(client.submit(failing).exception(), ValueError)
    seen = figures(MAPPING, before, scrape(client, 1.0))
    assert seen.load == Value(0.0)
    assert seen.blocks == BlockCounts(on_time=5, lost=1)
    assert 10.0 < fresh(seen.readings["audio.cpu_ms_per_block"]) < 1000.0
    assert seen.readings["dask.queued_tasks"] == Value(0.0)
    assert seen.in_force["nodes"] == Value(2.0)


def test_the_number_of_workers_is_turned_by_a_command_of_the_users(farm, tmp_path):
    cluster, client = farm
    script = f"import sys; open({str(tmp_path / 'wanted')!r}, 'w').write(sys.argv[1])"
    command = [sys.executable, "-c", script, "{value}"]
    knob = MAPPING.knobs["nodes"].model_dump() | {"command": command}
    here = {"metrics_url": address(client), "knobs": {"nodes": knob}}
    plant = RemotePlant(surroundings(MAPPING.model_dump() | here, FakeClock()))
    try:
        assert plant.in_force()["nodes"] == 2
        assert plant.apply("nodes", 3) is None
        plant._requests.wait(10)
        cluster.scale(int((tmp_path / "wanted").read_text()))
        client.wait_for_workers(3, timeout=30)
        now = scrape(client, 0.0)
        assert figures(MAPPING, now, now).in_force["nodes"] == Value(3.0)
    finally:
        plant.close()
