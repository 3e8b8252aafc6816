"""Services of several kinds, of which no model tells, under loads that stay, step and burst."""

from __future__ import annotations

import numpy as np
import pytest
from fake_service import FakeService, controlled, direction_changes

from policies.conductor.conductor import Conductor

PERIOD_MS = 5.0


KNOBS = {
    "nodes": {"gauge": "workers", "low": 1, "high": 8, "delay_s": 1, "resource": "cpu"},
    "batch_size": {
        "gauge": "batch",
        "choice": [8, 16, 32, 64],
        "delay_s": 1,
        "resource": "cpu",
    },
}


class RandomService(FakeService):
    """Its blocks take as long as their streams and calls, more or less, and wait in line."""

    def __init__(self, load, stream_ms: float, call_ms: float, nodes: int = 1) -> None:
        self.load, self.stream_ms, self.call_ms = load, stream_ms, call_ms
        self.random = np.random.default_rng(1)
        super().__init__()
        self.knobs["nodes"] = nodes
        self.page = self.render()

    def play(self, seconds: float) -> None:
        self.now_s += seconds
        nodes, batch = self.knobs["nodes"], self.knobs["batch_size"]
        self.streams = float(self.load(self.now_s))
        shares = np.array([len(range(k, int(self.streams), nodes)) for k in range(nodes)])
        work_ms = self.stream_ms * shares + self.call_ms * np.ceil(shares / batch)
        periods = round(1000.0 * seconds / PERIOD_MS)
        taken_ms = work_ms * np.exp(self.random.normal(0.0, 0.05, (periods, nodes)))
        latency_ms, waiting_ms = np.empty_like(taken_ms), np.zeros(nodes)
        for each, row in enumerate(taken_ms):
            latency_ms[each] = waiting_ms + row
            waiting_ms = np.clip(latency_ms[each] - PERIOD_MS, 0.0, PERIOD_MS)
        self.counts["blocks"] += periods * shares.sum()
        self.counts["late"] += ((latency_ms > PERIOD_MS) * shares).sum()
        self.counts["busy"] += np.minimum(taken_ms, PERIOD_MS).sum() / 1000.0
        self.counts["available"] += seconds * nodes
        for bound in self.buckets:
            self.buckets[bound] += ((latency_ms <= 1000.0 * bound) * shares).sum()
        self.page = self.render()


def step(time_s: float) -> int:
    return 20 if time_s < 60 else 60


def bursts(time_s: float) -> int:
    return 40 if time_s % 150 > 120 else 20


@pytest.mark.parametrize(
    ("load", "stream_ms", "call_ms", "found", "left", "most", "turns"),
    [
        pytest.param(lambda _: 40, 0.36, 0.12, 4, 5, 5, 0, id="many nodes, each as full as may be"),
        pytest.param(step, 0.05, 0.12, 1, 1, 2, 1, id="a step to what one node just carries"),
        pytest.param(lambda _: 40, 0.0125, 1.0, 1, 1, 2, 1, id="calls, and hardly the streams"),
        pytest.param(bursts, 0.36, 0.12, 4, 5, 8, 4, id="twice the load now and then"),
    ],
)
def test_nodes_settle_and_turn_no_more_often_than_the_load(
    load, stream_ms, call_ms, found, left, most, turns
):
    """The bursts turned them 14 times before it was remembered what called for a node."""
    service = RandomService(load, stream_ms, call_ms, found)
    with controlled(Conductor(), service, knobs=KNOBS) as made:
        ticks = made.ticks(400)
    nodes = [tick.settings["nodes"] for tick in ticks]
    assert direction_changes(nodes) <= turns
    assert nodes[-1] <= left
    assert max(nodes) <= most
    seen = [tick.observation.blocks for tick in ticks if tick.observation.blocks is not None]
    late = sum(each.missed for each in seen) / sum(each.submitted for each in seen)
    assert late < 0.02


class OneNodeTooFew(RandomService):
    """Misses more with one node than its utilisation says, whatever the reason."""

    def play(self, seconds: float) -> None:
        super().play(seconds)
        if self.knobs["nodes"] == 1:
            self.counts["late"] += 0.05 * self.streams * seconds * 1000.0 / PERIOD_MS
            self.page = self.render()


def test_a_node_that_left_in_error_comes_back_and_brings_no_others():
    service = OneNodeTooFew(lambda _: 40, 0.02, 0.12, nodes=2)
    with controlled(Conductor(), service, knobs={"nodes": KNOBS["nodes"]}) as made:
        nodes = [tick.settings["nodes"] for tick in made.ticks(120)]
    assert nodes[-1] == 2
    assert (min(nodes), max(nodes)) == (1, 2)
    assert direction_changes(nodes) == 1
