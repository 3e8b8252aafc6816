"""A service that any controller may steer: it renders blocks in time, under a load that steps.

    python docs/examples/service.py --port 9100 --streams 8 40 8 --step-s 60

`GET /metrics` shows it to Prometheus, `PUT /knobs/nodes` and `/knobs/batch_size` turn it, as
docs/remote/openapi.yaml describes; docs/examples/service.toml is its mapping.
"""

import argparse
import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from prometheus_client import Counter, Gauge, Histogram, generate_latest

PERIOD_S, FRAMES, LENGTH, ROOMS = 0.1, 4800, 32768, 8
LIMITS = {"nodes": range(1, 3), "batch_size": (4, 8, 16, 32)}
BOUNDS_S = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.4)
IMPULSES = np.random.default_rng(1).standard_normal((64, LENGTH // 2), np.float32)
BLOCKS = Counter("service_blocks", "Blocks by outcome.", ["outcome"])
BUSY = Counter("service_busy_seconds", "How long the busiest worker computed.")
LATENCY = Histogram("service_latency_seconds", "From capture to finish.", buckets=BOUNDS_S)
STREAMS = Gauge("service_streams", "Live streams.")
KNOBS = {name: Gauge(f"service_{name}", f"{name} in force.") for name in LIMITS}
knobs = {"nodes": 1, "batch_size": 4}


def render(streams: int, batch_size: int) -> None:
    """Put streams into rooms, batch by batch; a call transforms all impulse responses anew."""
    for first in range(0, streams, batch_size):
        blocks = np.ones((min(batch_size, streams - first), 1, FRAMES), np.float32)
        rooms = np.fft.rfft(IMPULSES, LENGTH)[:ROOMS]
        np.fft.irfft(np.fft.rfft(blocks, LENGTH) * rooms, LENGTH).sum(axis=1)


def play(steps: list[int], step_s: float) -> None:
    """Have each stream's block rendered every period; one that comes too late is skipped."""
    pool, began_s, due_s = ThreadPoolExecutor(max(LIMITS["nodes"])), time.monotonic(), 0.0
    while True:
        time.sleep(max(0.0, began_s + due_s - time.monotonic()))
        streams = steps[min(int(due_s / step_s), len(steps) - 1)]
        nodes, batch_size = knobs["nodes"], knobs["batch_size"]
        shares = [len(range(k, streams, nodes)) for k in range(nodes)]
        start_s = time.monotonic()
        list(pool.map(render, shares, [batch_size] * nodes))
        BUSY.inc(time.monotonic() - start_s)
        latency_s = time.monotonic() - began_s - due_s
        BLOCKS.labels("on_time" if latency_s <= PERIOD_S else "late").inc(streams)
        for _ in range(streams):
            LATENCY.observe(latency_s)
        lost = max(0, int(latency_s / PERIOD_S) - 1)
        BLOCKS.labels("lost").inc(lost * streams)
        due_s += PERIOD_S * (1 + lost)
        STREAMS.set(streams)
        for name, gauge in KNOBS.items():
            gauge.set(knobs[name])


class Handler(BaseHTTPRequestHandler):
    """Metrics and knobs over HTTP."""

    def do_GET(self) -> None:
        """Show the metrics, or a knob."""
        name = self.path.rpartition("/")[2]
        if self.path == "/metrics":
            self.answer(200, generate_latest(), "text/plain; version=0.0.4")
        elif name in knobs:
            self.answer(200, {"value": knobs[name]})
        else:
            self.answer(404, {"error": f"no {self.path}; there are {', '.join(knobs)}"})

    def do_PUT(self) -> None:
        """Turn a knob; it is in force from the next period on."""
        name = self.path.rpartition("/")[2]
        try:
            value = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["value"]
        except (KeyError, TypeError, ValueError):
            return self.answer(400, {"error": 'the body is {"value": number}'})
        if name not in knobs:
            return self.answer(404, {"error": f"no knob {name}; there are {', '.join(knobs)}"})
        if type(value) is not int or value not in LIMITS[name]:
            return self.answer(422, {"error": f"{value}: one of {list(LIMITS[name])} is possible"})
        knobs[name] = value
        return self.answer(200, {"value": value})

    def answer(self, status: int, content: object, kind: str = "application/json") -> None:
        """Send bytes as they are, and all else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--streams", type=int, nargs="+", default=[8, 40, 8])
    parser.add_argument("--step-s", type=float, default=60.0)
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends all threads, without a traceback
    threading.Thread(target=play, args=(given.streams, given.step_s), daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", given.port), Handler).serve_forever()
