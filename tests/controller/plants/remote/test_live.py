"""The example service under a load that steps, controlled over HTTP, and every fault of both."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from fake_service import FakeService, direction_changes, served, surroundings
from fakes import FakeCommands, ListRecorder

from controller.clock import WallClock
from controller.config.config import GuardSection, load_config
from controller.diagnosis.diagnostician import Diagnostician
from controller.forecasting.last_value import LastValue
from controller.forecasting.supervised import Supervised
from controller.guard.guard import Guard
from controller.loop import Loop
from controller.plants.remote.plant import RemotePlant
from controller.verification import Verifier
from policies.conductor.conductor import Conductor
from policies.objective import Objective

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
EXAMPLES = Path(__file__).parents[4] / "docs" / "examples"
QUICK = GuardSection(rollback_cooldown_s=4.0, verify_timeout_s=3.0)
PERIOD_MS, CALM_S = 100.0, 8
METRIC_FAULTS = ("down", "slow", "nan", "negative", "frozen", "garbage")
CONTROL_FAULTS = ("refuses", "ignores", "hangs", "acts and does not answer")


class Proxy(FakeService):
    """Between the controller and the real service, with the switches of the fake one."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.last = ""
        super().__init__()

    @property
    def page(self) -> str:
        if self.metrics != "frozen" or not self.last:
            with urllib.request.urlopen(f"{self.address}/metrics", timeout=5) as answer:
                self.last = answer.read().decode()
        wrong = {"nan": "NaN", "negative": "-3"}.get(self.metrics)
        return self.last if wrong is None else re.sub(r" \S+$", f" {wrong}", self.last, flags=re.M)

    @page.setter
    def page(self, _: str) -> None:
        pass

    def put(self, knob: str, value: int) -> tuple[int, dict[str, object]]:
        if self.control == "refuses":
            return 503, {"error": "not now"}
        if self.control != "ignores":
            body = json.dumps({"value": value}).encode()
            request = urllib.request.Request(f"{self.address}/knobs/{knob}", body, method="PUT")
            urllib.request.urlopen(request, timeout=5).close()
        return 200, {"value": value}


@cache
def too_many_streams() -> int:
    """Streams that two workers cannot compute in time by fours, and can in larger batches."""
    spec = importlib.util.spec_from_file_location("example_service", EXAMPLES / "service.py")
    service = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(service)
    times_ms = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            began_s = time.perf_counter()
            list(pool.map(service.render, [4, 4], [4, 4]))
            times_ms.append(1000.0 * (time.perf_counter() - began_s))
    call_ms = sorted(times_ms)[10]
    return 2 * 4 * math.ceil(1.3 * PERIOD_MS / call_ms)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    steps = ["4", str(too_many_streams())]
    command = [sys.executable, str(EXAMPLES / "service.py"), "--port", str(port)]
    command += ["--streams", *steps, "--step-s", str(CALM_S)]
    process = subprocess.Popen(command)
    try:
        yield started(port)
    finally:
        process.terminate()
        process.wait(10)


def started(port: int) -> Proxy:
    for _ in range(200):
        proxy = Proxy(port)
        try:
            if "service_streams " in proxy.page:
                return proxy
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the example service does not come up")


class ControlledExample:
    """The example, the plant and the loop, second by second."""

    def __init__(self, proxy: Proxy, address: str) -> None:
        config = load_config(EXAMPLES / "service.toml")
        section = config.remote.model_dump(exclude_defaults=True)
        here = {"metrics_url": f"{address}/metrics", "control_url": address, "timeout_s": 0.5}
        self.clock = WallClock()
        self.proxy = proxy
        self.plant = RemotePlant(surroundings(section | here, self.clock))
        objective = Objective(self.plant.deadline_ms, target_miss_rate=0.02)
        self.recorder = ListRecorder()
        self.loop = Loop(
            self.plant,
            Conductor(),
            objective,
            Supervised(LastValue()),
            Diagnostician(config.thresholds, objective),
            Guard(QUICK),
            Verifier(QUICK, objective),
            self.recorder,
            FakeCommands(),
            self.clock,
            1.0,
        )

    def run(self, seconds: float) -> list:
        """The ticks of that time."""
        before, until_s = len(self.recorder.ticks), self.clock.now_s() + seconds
        self.loop.run(lambda: self.clock.now_s() > until_s)
        return self.recorder.ticks[before:]

    def recovers(self) -> bool:
        """Whether the load is carried soon; neighbours on the machine may disturb for a while."""
        return any(carried(self.run(4.0)) for _ in range(5))


def carried(ticks: list) -> bool:
    """Whether nearly every block was on time."""
    seen = [tick.observation.blocks for tick in ticks if tick.observation.blocks is not None]
    return sum(each.missed for each in seen) <= 0.05 * sum(each.submitted for each in seen) > 0


def told(ticks: list) -> str:
    alarms = [alarm for tick in ticks for alarm in tick.alarms]
    return "\n".join([*alarms, *(each.reason for tick in ticks for each in tick.refusals)])


def test_a_service_is_held_within_its_deadline_and_no_fault_of_it_makes_a_knob_swing(proxy):
    with served(proxy) as address:
        controlled = ControlledExample(proxy, address)
        try:
            controlled.run(CALM_S + 30.0)
            assert controlled.recovers()
            in_force = dict(controlled.plant.in_force())
            assert in_force["nodes"] == 2
            assert in_force["batch_size"] > 4
            for fault in METRIC_FAULTS:
                asked = len(proxy.asked)
                proxy.metrics = fault
                blind = controlled.run(6.0)
                assert proxy.asked[asked:] == [], fault
                assert told(blind), fault
                assert all(tick.duration_ms < 300.0 for tick in blind), fault
                proxy.metrics = "ok"
                proxy.release.set()
                controlled.run(2.0)
                proxy.release.clear()
                assert controlled.recovers(), fault
            assert swings(controlled) == 0
        finally:
            controlled.plant.close()
    assert proxy.asked[-1][1] in (1, 4)  # restored as found


@pytest.mark.parametrize("fault", CONTROL_FAULTS)
def test_a_control_endpoint_that_fails_is_waited_out(proxy, fault):
    with served(proxy) as address:
        controlled = ControlledExample(proxy, address)
        try:
            proxy.control = fault
            overloaded = controlled.run(CALM_S + 16.0)
            assert 0 < len(proxy.asked) <= 8
            assert told(overloaded)
            proxy.control = "ok"
            proxy.release.set()
            controlled.run(30.0)
            assert controlled.recovers()
            assert swings(controlled) <= 1
            holds = [hold.reason for tick in controlled.recorder.ticks for hold in tick.holds]
            assert not any("another hand" in reason for reason in holds)
        finally:
            controlled.plant.close()


def swings(controlled: ControlledExample) -> int:
    ticks = controlled.recorder.ticks
    return sum(
        direction_changes([tick.settings[knob] for tick in ticks])
        for knob in ("nodes", "batch_size")
    )
