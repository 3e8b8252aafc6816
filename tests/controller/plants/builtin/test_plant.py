"""The built-in pipeline as a plant: reports that are ordered, asked for, and cross on the way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakes import FakeClock

from controller.linux.scheduling import Permissions
from controller.pipeline.spec import PipelineSpec
from controller.plants.builtin import plant as builtin
from controller.plants.builtin.plant import BuiltinPlant
from policies.observation import BlockCounts, Value

SPEC = PipelineSpec.model_construct(
    audio_share=0.6,
    analysis_share=0.1,
    visualisation_share=0.1,
    nodes=1,
    nodes_max=2,
    batch_size=64,
)


def report(made_ns: int, on_time: int, late: int, load: int, p99_ms: float) -> dict[str, object]:
    return {
        "made_ns": made_ns,
        "finished": False,
        "load": load,
        "blocks": {"on_time": on_time, "late": late, "concealed": 0, "lost": 0},
        "latency_ms": {"p50": 0.1, "p95": 0.2, "p99": p99_ms, "max": p99_ms},
        "nodes": 1,
        "batch_size": 64,
        "processes": {"audio": []},
        "round_ms": {},
    }


class Crossing:
    """A pipeline whose ordered report was on its way when it was asked for another."""

    def __init__(self, directory: Path) -> None:
        self._reports = [None, report(100, 990, 10, 40, 3.0), None]
        self.answers = [report(105, 5, 0, 41, 0.2), report(time.monotonic_ns(), 800, 0, 41, 0.5)]

    def take_report(self) -> dict[str, object] | None:
        return self._reports.pop(0) if self._reports else None

    def ask(self, do: str) -> dict[str, object]:
        return self.answers.pop(0)

    def order_report(self, due_ns: int) -> None:
        pass


def test_a_report_that_crossed_the_question_is_part_of_the_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(builtin, "Connection", Crossing)
    permissions = Permissions(False, False, 0, frozenset({0}))
    plant = BuiltinPlant(Path(), SPEC, FakeClock(), None, permissions)
    plant._actuator = type("A", (), {"renew": lambda _: True, "reconcile": lambda *_: None})()
    first, second = plant.observe(), plant.observe()
    assert first.blocks == BlockCounts(on_time=995, late=10)
    assert (first.load, first.latency.p99_ms) == (Value(41.0), Value(3.0))
    assert second.time_s > first.time_s
    assert second.blocks == BlockCounts(on_time=800)
