"""The built-in pipeline as a plant: reports that are ordered, asked for, and cross on the way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakes import FakeClock
from gpu_link import HOT, FakeLink

from controller.errors import PlantError
from controller.linux.permissions import Permissions
from controller.pipeline.spec import PipelineSpec
from controller.plain_json import to_plain
from controller.plants.builtin import plant as builtin
from controller.plants.builtin.plant import BuiltinPlant
from controller.sensors.gpu.sensor import GpuSensor
from policies.knobs import Bounds, Knob, ThreadClass, ThreadClasses
from policies.observation import BlockCounts, Missing, Value
from policies.proposal import Refusal

SPEC = PipelineSpec.model_construct(
    audio_share=0.6,
    analysis_share=0.1,
    visualisation_share=0.1,
    period_frames=256,
    sample_rate_hz=48_000,
)

LANES = to_plain({"lanes": Knob("lanes", Bounds(1, 4), "device")})


def report(made_ns: int, on_time: int, late: int, load: int, p99_ms: float) -> dict[str, object]:
    return {
        "made_ns": made_ns,
        "finished": False,
        "load": load,
        "blocks": {"on_time": on_time, "late": late, "concealed": 0, "lost": 0},
        "latency_ms": {"p50": 0.1, "p95": 0.2, "p99": p99_ms, "max": p99_ms},
        "knobs": LANES,
        "settings": {"lanes": 1},
        "readings": {},
        "processes": {"audio": []},
        "round_ms": {},
    }


class Playing:
    """A pipeline whose executor brings a knob of its own."""

    def __init__(self, directory: Path) -> None:
        self.reports: list[dict[str, object] | None] = []
        self.answers: list[dict[str, object]] = [{"knobs": LANES, "found": {"lanes": 2}}]
        self.asked: list[tuple[str, dict[str, object]]] = []

    def take_report(self) -> dict[str, object] | None:
        return self.reports.pop(0) if self.reports else None

    def ask(self, do: str, **details: object) -> dict[str, object] | None:
        self.asked.append((do, details))
        return self.answers.pop(0) if self.answers else None

    def order_report(self, due_ns: int) -> None:
        pass


def plant_of(monkeypatch: pytest.MonkeyPatch, gpu: GpuSensor | None = None) -> BuiltinPlant:
    monkeypatch.setattr(builtin, "Connection", Playing)
    permissions = Permissions(False, False, 0, frozenset({0}))
    plant = BuiltinPlant(Path(), SPEC, FakeClock(), None, permissions, gpu=gpu)
    idle = {"renew": lambda _: True, "reconcile": lambda *_: None, "in_force": lambda *_: None}
    plant._actuator = type("Idle", (), {**idle, "undone": ""})()
    return plant


def test_a_report_that_crossed_the_question_is_part_of_the_answer(monkeypatch: pytest.MonkeyPatch):
    plant = plant_of(monkeypatch)
    plant._connection.reports = [None, report(100, 990, 10, 40, 3.0), None]
    plant._connection.answers = [
        report(105, 5, 0, 41, 0.2),
        report(time.monotonic_ns(), 800, 0, 41, 0.5),
    ]
    first, second = plant.observe(), plant.observe()
    assert first.blocks == BlockCounts(on_time=995, late=10)
    assert (first.load, first.latency.p99_ms) == (Value(41.0), Value(3.0))
    assert second.time_s > first.time_s
    assert second.blocks == BlockCounts(on_time=800)


def test_what_its_gpu_tells_is_read_beside_it_and_disturbs_it_no_longer(
    monkeypatch: pytest.MonkeyPatch,
):
    link = FakeLink()
    link.lines = [{**HOT, "took_s": 0.02}]
    plant = plant_of(monkeypatch, GpuSensor(now_s=lambda: 100.5, opened=lambda _: link))
    plant._connection.reports = [report(100, 990, 10, 40, 3.0), report(200, 990, 0, 40, 3.0)]
    first, second = plant.observe(), plant.observe()
    assert first.readings["gpu.temperature_c"] == Value(91.0)
    assert first.events == ("the GPU lowers its clock: power cap, temperature, by hardware",)
    assert second.events == ()
    assert link.orders == ["rarer"]


def test_the_knobs_are_those_that_the_executor_brings(monkeypatch: pytest.MonkeyPatch):
    plant = plant_of(monkeypatch)
    assert set(plant.knobs()) == {"thread_classes", "lanes"}
    assert plant.knobs()["lanes"].domain == Bounds(1, 4)
    grown = report(100, 9, 0, 4, 0.2) | {
        "knobs": to_plain({"lanes": Knob("lanes", Bounds(1, 8), "device")}),
        "settings": {"lanes": 3},
        "readings": to_plain({"lanes.idle": Value(1.0), "lanes.heat": Missing("no sensor")}),
    }
    plant._connection.reports = [grown]
    seen = plant.observe()
    assert plant.knobs()["lanes"].domain == Bounds(1, 8)
    assert plant.in_force()["lanes"] == 3
    assert seen.readings["lanes.idle"] == Value(1.0)
    assert seen.readings["lanes.heat"] == Missing("no sensor")


def test_a_knob_is_restored_to_what_the_pipeline_started_with(monkeypatch: pytest.MonkeyPatch):
    plant = plant_of(monkeypatch)
    plant._connection.answers = [{}]
    assert plant.restore("lanes") is None
    assert plant._connection.asked[-1] == ("set", {"knob": "lanes", "value": 2})


def test_a_value_outside_the_domain_is_refused_without_a_question(monkeypatch: pytest.MonkeyPatch):
    plant = plant_of(monkeypatch)
    refusal = Refusal("lanes", "5 is not allowed: 1 to 4")
    assert plant.apply("lanes", 5) == refusal
    assert [do for do, _ in plant._connection.asked] == ["hello"]


def test_companions_are_told_the_budgets_of_their_classes(monkeypatch: pytest.MonkeyPatch):
    plant = plant_of(monkeypatch)
    plant._actuator = type("Willing", (), {"apply": lambda *_: None})()
    plant._connection.answers = [{}, {}]
    shares = ThreadClasses(analysis=ThreadClass(share=0.05), visualisation=ThreadClass(share=0.02))
    assert plant.apply("thread_classes", shares) is None
    assert plant._connection.asked[1:] == [
        ("budget", {"work": "analysis", "share": 0.05}),
        ("budget", {"work": "visualisation", "share": 0.02}),
    ]


def test_a_pipeline_that_never_introduces_itself_is_an_error(monkeypatch: pytest.MonkeyPatch):
    class Mute(Playing):
        def ask(self, do: str, **details: object) -> None:
            return None

    monkeypatch.setattr(builtin, "Connection", Mute)
    with pytest.raises(PlantError, match="does not answer"):
        BuiltinPlant(Path(), SPEC, FakeClock(), None, Permissions(False, False, 0, frozenset({0})))
