"""A service made of numbers behind a real socket, with switches for all that can go wrong."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

from fakes import OBJECTIVE, FakeClock, Rig

from controller.config.config import Config, ThresholdsSection
from controller.config.remote import RemoteSection
from controller.diagnosis.diagnostician import Diagnostician
from controller.linux.permissions import Permissions
from controller.plants.plant import Surroundings
from controller.plants.remote.plant import RemotePlant

BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02)
MAPPING = {
    "deadline_ms": 5.0,
    "timeout_s": 0.2,
    "load": "streams",
    "blocks": {"submitted": "blocks_total", "late": 'missed_total{outcome="late"}'},
    "latency": {"metric": "latency_seconds"},
    "readings": {
        "audio.utilisation": {"metric": "busy_seconds_total", "per": "worker_seconds_total"}
    },
    "knobs": {
        "nodes": {"gauge": "workers", "low": 1, "high": 4, "delay_s": 1, "resource": "cpu"},
        "batch_size": {"gauge": "batch", "choice": [8, 16, 32, 64], "delay_s": 1},
    },
}


class FakeService:
    """Workers that share streams of 0.1 ms of work each, 0.5 ms a batch, 5 ms of time a block.

    `metrics` and `control` are what goes wrong: "ok" or a word that the methods below know.
    """

    def __init__(self) -> None:
        self.streams = 20.0
        self.knobs = {"nodes": 1, "batch_size": 8}
        self.counts = dict.fromkeys(("blocks", "late", "busy", "available"), 0.0)
        self.buckets = dict.fromkeys((*BOUNDS_S, float("inf")), 0.0)
        self.metrics = self.control = "ok"
        self.asked: list[tuple[str, int]] = []
        self.headers: list[dict[str, str]] = []
        self.late: list[tuple[float, str, int]] = []
        self.acts_late_by_s = 0.0
        self.now_s = 0.0
        self.page = self.render()
        self.release = threading.Event()

    def play(self, seconds: float) -> None:
        """Let that time pass."""
        self.now_s += seconds
        for due in [each for each in self.late if each[0] <= self.now_s]:
            self.late.remove(due)
            self.knobs[due[1]] = due[2]
        each = self.streams / self.knobs["nodes"]
        work_ms = 0.1 * each + 0.5 * math.ceil(each / self.knobs["batch_size"])
        blocks = round(self.streams * seconds * 200)
        late = round(blocks * max(0.0, 1.0 - 5.0 / max(work_ms, 0.01)))
        available = seconds * self.knobs["nodes"]
        for name, grew in zip(
            self.counts, (blocks, late, available * min(1.0, work_ms / 5.0), available), strict=True
        ):
            self.counts[name] += grew
        for bound in self.buckets:
            self.buckets[bound] += (blocks - late) * (bound >= min(work_ms / 1e3, 0.005))
            self.buckets[bound] += late * (bound > 0.01)
        if self.metrics != "frozen":
            self.page = self.render()

    def render(self) -> str:
        """All metrics as text."""
        lines = [
            f"streams {self.value(self.streams)}",
            f"workers {self.value(self.knobs['nodes'])}",
            f"batch {self.value(self.knobs['batch_size'])}",
            "# TYPE blocks_total counter",
            f"blocks_total {self.value(self.counts['blocks'])}",
            f'missed_total{{outcome="late"}} {self.value(self.counts["late"])}',
            f"busy_seconds_total {self.counts['busy']}",
            f"worker_seconds_total {self.counts['available']}",
            "# TYPE latency_seconds histogram",
        ]
        lines += [
            f'latency_seconds_bucket{{le="{"+Inf" if bound == float("inf") else bound}"}} {count}'
            for bound, count in self.buckets.items()
        ]
        return "\n".join([*lines, ""])

    def value(self, true: float) -> float:
        """The value that is shown for it."""
        return {"nan": float("nan"), "negative": -3.0}.get(self.metrics, true)

    def start_over(self) -> None:
        """Count from nothing, as after a restart."""
        self.counts = dict.fromkeys(self.counts, 0.0)
        self.buckets = dict.fromkeys(self.buckets, 0.0)

    def put(self, knob: str, value: int) -> tuple[int, dict[str, object]]:
        """Status and answer to a request."""
        if self.control == "refuses":
            return 503, {"error": "not now\x1b[2J"}
        if self.control == "forbids":
            return 422, {"error": "too many"}
        if self.acts_late_by_s:
            self.late.append((self.now_s + self.acts_late_by_s, knob, value))
        elif self.control == "clamps":
            self.knobs[knob] = min(value, 2 if knob == "nodes" else 16)
        elif self.control != "ignores":
            self.knobs[knob] = value
        return 200, {"value": value, "disruption_ms": 2.5}


CANNED = {
    "endless": (200, b"x 1\n" * (2 << 20)),
    "garbage": (200, b"\xff\xfe{{{ not metrics\n"),
    "broken": (500, b"<html>oh</html>"),
}


class Handler(BaseHTTPRequestHandler):
    service: FakeService

    def do_GET(self) -> None:
        self.service.headers.append(dict(self.headers))
        word = self.service.metrics
        if word in ("down", "slow"):
            self.service.release.wait(5 if word == "slow" else 0)
        elif word == "drips":
            self.drip()
        elif word == "redirects":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/\r\n evil")
            self.end_headers()
        else:
            self.answer(*CANNED.get(word, (200, self.service.page.encode())))

    def do_PUT(self) -> None:
        service, knob = self.service, self.path.rpartition("/")[2]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service.headers.append(dict(self.headers))
        service.asked.append((knob, body["value"]))
        if service.control == "hangs":
            service.release.wait(5)
            return
        status, answer = service.put(knob, body["value"])
        if service.control != "acts and does not answer":
            self.answer(status, json.dumps(answer).encode())

    def drip(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        with suppress(OSError):
            while not self.service.release.wait(0.02):
                self.wfile.write(b"#")

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(service: FakeService) -> Iterator[str]:
    """The service behind a port of this machine, and its address."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Serving", (Handler,), {"service": service})
    )
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        service.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


def surroundings(section: dict[str, object], clock: object = None) -> Surroundings:
    config = Config.model_construct(
        remote=RemoteSection.model_validate(section), loop=Config.model_fields["loop"].default
    )
    permissions = Permissions(False, False, 0, frozenset(), "", False)
    return Surroundings(config, clock or FakeClock(), None, permissions)  # type: ignore[arg-type]


class ScrapedByHand(RemotePlant):
    def _order(self) -> None:
        pass


class ControlledService:
    """The service, the plant that watches it, and the loop, second by second without waiting."""

    def __init__(self, service: FakeService, address: str, policy, **changed) -> None:
        self.service = service
        self.clock = FakeClock()
        section = {"metrics_url": f"{address}/metrics", "control_url": address} | MAPPING | changed
        self.plant = ScrapedByHand(surroundings(section, self.clock))
        diagnostician = Diagnostician(ThresholdsSection(), OBJECTIVE)
        self.rig = Rig(policy, clock=self.clock, plant=self.plant, diagnostician=diagnostician)

    def tick(self):
        """A second passes for the service, is scraped, and is looked at."""
        self.service.play(1.0)
        self.clock.time_s += 0.9
        self.scrape()
        self.clock.time_s += 0.1
        return self.rig.loop.tick()

    def scrape(self) -> None:
        self.plant._scraper.order(0.0)
        if self.service.metrics != "slow":
            self.plant._scraper.wait(5)

    def ticks(self, count: int) -> list:
        return [self.tick() for _ in range(count)]


@contextmanager
def controlled(
    policy, service: FakeService | None = None, **changed
) -> Iterator[ControlledService]:
    service = service or FakeService()
    with served(service) as address:
        made = ControlledService(service, address, policy, **changed)
        try:
            yield made
        finally:
            service.metrics = service.control = "ok"
            service.release.set()
            made.plant.close()


def direction_changes(values: list[int]) -> int:
    """How often a knob turned around."""
    steps = [b - a for a, b in pairwise(values) if b != a]
    return sum((a > 0) != (b > 0) for a, b in pairwise(steps))
