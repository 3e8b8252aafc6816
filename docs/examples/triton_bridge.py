"""Lets a controller turn the instances of a model of NVIDIA Triton, and measures the gap.

    tritonserver --model-control-mode=explicit --load-model=hrtf ...
    python docs/examples/triton_bridge.py --model hrtf --reloads

Shows Triton's metrics with the instances in force beside, and takes the knob `nodes`; see
docs/remote/openapi.yaml and docs/remote/triton.toml. Without --reloads it only shows.
"""

import argparse
import json
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

POLL_S, PATIENCE_S = 0.002, 60.0


class Triton:
    """One model, through Triton's own HTTP API."""

    def __init__(self, address: str, metrics: str, model: str) -> None:
        self.metrics, self.model = metrics, model
        self.url, self.load_url = (
            f"{address}/v2/{part}/{model}" for part in ("models", "repository/models")
        )
        self.available_s, self.looked_s = 0.0, time.monotonic()

    def page(self) -> bytes:
        """The metrics, the instances of the model, and the time that these could compute in."""
        instances, now_s = self.instances(), time.monotonic()
        self.available_s += instances * (now_s - self.looked_s)
        self.looked_s, labels = now_s, f'{{model="{self.model}"}}'
        shown = f"""
triton_model_instances{labels} {instances}
triton_model_instance_us_total{labels} {1e6 * self.available_s:.0f}
"""
        return ask(self.metrics).rstrip() + shown.encode()

    def instances(self) -> int:
        """As many as the configuration in force says."""
        groups = json.loads(ask(f"{self.url}/config")).get("instance_group") or [{"count": 1}]
        return sum(int(each.get("count", 1)) for each in groups)

    def resize(self, count: int) -> float:
        """Load the model with so many instances; for how long it was not ready, milliseconds."""
        config = json.loads(ask(f"{self.url}/config"))
        groups = config.get("instance_group") or [{"kind": "KIND_AUTO"}]
        config["instance_group"] = [groups[0] | {"count": count}]
        body = {"parameters": {"config": json.dumps(config)}}
        load = threading.Thread(target=self._load, args=(body,))
        self.failure: str | None = None
        gap_s, load_began_s = 0.0, time.monotonic()
        load.start()
        while load.is_alive() and time.monotonic() < load_began_s + PATIENCE_S:
            began_s = time.monotonic()
            ready = self.is_ready()
            time.sleep(POLL_S)
            gap_s += 0.0 if ready else time.monotonic() - began_s
        load.join(POLL_S)
        if self.failure is not None:
            raise OSError(self.failure)
        return 1000.0 * gap_s

    def is_ready(self) -> bool:
        """Whether the model serves now."""
        try:
            ask(f"{self.url}/ready")
        except OSError:
            return False
        return True

    def _load(self, body: object) -> None:
        try:
            ask(f"{self.load_url}/load", json.dumps(body).encode())
        except urllib.error.HTTPError as error:
            self.failure = error.read(500).decode(errors="replace")
        except OSError as error:
            self.failure = str(error)


def ask(url: str, body: bytes | None = None) -> bytes:
    """GET, or POST where there is a body."""
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=PATIENCE_S) as answer:
        content: bytes = answer.read()
        return content


class Handler(BaseHTTPRequestHandler):
    """Answers requests for one model."""

    triton: Triton
    most = 4
    reloads = False
    turning = threading.Lock()

    def do_GET(self) -> None:
        """Show the metrics, or the knob."""
        try:
            if self.path == "/metrics":
                self.answer(200, self.triton.page(), "text/plain; version=0.0.4")
            elif self.path == "/knobs/nodes":
                self.answer(200, {"value": self.triton.instances()})
            else:
                self.answer(404, {"error": f"no {self.path}"})
        except (OSError, ValueError) as error:
            self.answer(502, {"error": f"Triton: {error}"})

    def do_PUT(self) -> None:
        """Turn the knob; one change at a time."""
        status, content = self.turn()
        self.answer(status, content)

    def turn(self) -> tuple[int, dict[str, object]]:
        """What came of a request."""
        if self.path != "/knobs/nodes":
            return 404, {"error": f"no {self.path}; there is nodes"}
        if not self.reloads:
            return 403, {"error": "reloads are off; start with --reloads"}
        try:
            value = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["value"]
        except (KeyError, TypeError, ValueError):
            return 400, {"error": 'the body is {"value": number}'}
        if type(value) is not int or not 1 <= value <= self.most:
            return 422, {"error": f"{value}: 1 to {self.most} are possible"}
        try:
            with self.turning:
                gap_ms = self.triton.resize(value)
        except (OSError, ValueError) as error:
            return 503, {"error": f"Triton: {error}"}
        return 200, {"value": value, "disruption_ms": round(gap_ms, 1)}

    def answer(self, status: int, content: object, kind: str = "application/json") -> None:
        """Send bytes as they are, and all else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--triton", default="http://127.0.0.1:8000")
    parser.add_argument("--metrics", default="http://127.0.0.1:8002/metrics")
    parser.add_argument("--port", type=int, default=9101)
    parser.add_argument("--most", type=int, default=4, help="instances at most")
    parser.add_argument("--reloads", action="store_true", help="let the knob be turned")
    given = parser.parse_args()
    Handler.triton = Triton(given.triton, given.metrics, given.model)
    Handler.most, Handler.reloads = given.most, given.reloads
    ThreadingHTTPServer(("127.0.0.1", given.port), Handler).serve_forever()
