"""The mapping and the bridge for NVIDIA Triton, on a Triton of a few lines."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from fake_service import surroundings
from fakes import FakeClock

from controller.config.config import load_config
from controller.plants.remote.metrics import figures
from controller.plants.remote.plant import RemotePlant
from controller.plants.remote.samples import read_samples
from controller.plants.remote.scraper import Scrape
from policies.observation import BlockCounts, Value

DOCS = Path(__file__).parents[4] / "docs"
LABELS = '{{model="hrtf",version="1"}}'
PAGE = f"""\
# TYPE nv_inference_request_success counter
nv_inference_request_success{LABELS} {{0}}
# TYPE nv_inference_request_failure counter
nv_inference_request_failure{LABELS} 0
# TYPE nv_inference_count counter
nv_inference_count{LABELS} {{0}}
# TYPE nv_inference_exec_count counter
nv_inference_exec_count{LABELS} {{1}}
# TYPE nv_inference_queue_duration_us counter
nv_inference_queue_duration_us{LABELS} {{2}}
# TYPE nv_inference_compute_infer_duration_us counter
nv_inference_compute_infer_duration_us{LABELS} {{2}}
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{LABELS} 3
# TYPE nv_inference_request_summary_us summary
nv_inference_request_summary_us_count{LABELS} 9
nv_inference_request_summary_us{{{{model="hrtf",version="1",quantile="0.99"}}}} 7000
# TYPE nv_gpu_utilization gauge
nv_gpu_utilization{{{{gpu_uuid="GPU-1"}}}} 0.5
"""


class Triton(BaseHTTPRequestHandler):
    config: ClassVar = {"name": "hrtf", "max_batch_size": 8, "instance_group": [{"count": 1}]}
    refuses = ""

    def do_GET(self) -> None:
        if self.path == "/metrics":
            return self.answer(200, PAGE.format(0, 0, 0).encode())
        if self.path == "/v2/models/hrtf/config":
            return self.answer(200, json.dumps(Triton.config).encode())
        return self.answer(200 if self.path == "/v2/models/hrtf/ready" else 404, b"")

    def do_POST(self) -> None:
        assert self.path == "/v2/repository/models/hrtf/load"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if Triton.refuses:
            return self.answer(400, Triton.refuses.encode())
        Triton.config = json.loads(body["parameters"]["config"])
        return self.answer(200, b"")

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bridge() -> Iterator[tuple[str, type]]:
    """The address of a bridge to a Triton, and what answers there."""
    spec = importlib.util.spec_from_file_location("bridge", DOCS / "examples" / "triton_bridge.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), each) for each in (Triton, module.Handler)]
    triton, here = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    module.Handler.triton = module.Triton(triton, f"{triton}/metrics", "hrtf")
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in servers]
    for thread in threads:
        thread.start()
    yield here, module.Handler
    Triton.refuses = ""
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_metrics_of_triton_are_told_in_our_words():
    section = load_config(DOCS / "remote" / "triton.toml").remote
    before, now = (
        Scrape(at_s, read_samples(PAGE.format(*each), "text/plain"))
        for at_s, each in ((0.0, (0, 0, 0)), (2.0, (100, 25, 1_000_000)))
    )
    seen = figures(section, before, now)
    assert seen.load == Value(3.0)
    assert seen.blocks == BlockCounts(on_time=100)
    assert seen.latency.p99_ms == Value(7.0)
    assert seen.readings["queue.wait_ms"] == Value(10.0)
    assert seen.readings["batch.mean_size"] == Value(4.0)
    assert seen.readings["audio.utilisation"] == Value(0.5)
    assert seen.readings["gpu.utilisation"] == Value(0.5)


def plant_at(address: str) -> RemotePlant:
    gauge = 'triton_model_instances{model="hrtf"}'
    knob = {"gauge": gauge, "low": 1, "high": 4, "delay_s": 10.0, "resource": "gpu"}
    here = {"metrics_url": f"{address}/metrics", "control_url": address, "knobs": {"nodes": knob}}
    return RemotePlant(surroundings(here, FakeClock()))


def test_instances_are_turned_through_the_load_api_once_reloads_are_on(bridge):
    address, handler = bridge
    plant = plant_at(address)
    try:
        assert plant.in_force()["nodes"] == 1
        assert "reloads are off; start with --reloads" in plant.apply("nodes", 2).reason
        handler.reloads = True
        assert plant.apply("nodes", 2) is None
        plant._requests.wait(5)
        plant._events_of_requests()
        assert plant.knobs()["nodes"].disruption_ms == 0.0
        assert Triton.config["instance_group"] == [{"count": 2}]
        assert Triton.config["max_batch_size"] == 8
        Triton.refuses = '{"error": "explicit model control mode is off"}'
        refused = plant.apply("nodes", 3)
        plant._requests.wait(5)
        told = refused.reason if refused else "\n".join(plant._events_of_requests())
        assert "explicit model control mode is off" in told
    finally:
        plant.close()
