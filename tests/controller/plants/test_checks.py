"""Every plant that ships passes the suite, and the suite finds what is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_linux import FakeLease, FakeLinux, FakeThreads
from fake_service import MAPPING, FakeService, ScrapedByHand, served, surroundings
from fakes import KNOBS, FakeClock, FakePlant

from controller.config.config import Config, SidecarSection
from controller.linux import scheduling
from controller.linux.permissions import Permissions
from controller.pipeline.spec import PipelineSpec
from controller.plain_json import to_plain
from controller.plants.builtin import plant as builtin
from controller.plants.builtin.plant import BuiltinPlant
from controller.plants.checks import CHECKS, PlantFault, check, check_all
from controller.plants.plant import Surroundings
from controller.plants.process.plant import ProcessPlant
from policies.knobs import Bounds, Choice, Knob
from policies.observation import BlockCounts, Quantiles, Value
from policies.proposal import Refusal
from simulators.loads.generators import generate
from simulators.run import make_plant
from simulators.simulation import Simulation

PERMISSIONS = Permissions(realtime=True, nice=True, priority_max=70, cpus=frozenset({0}))
SPEC = PipelineSpec.model_construct(audio_share=0.6, analysis_share=0.1, visualisation_share=0.1)
EXECUTOR_KNOBS = {
    "nodes": Knob("nodes", Bounds(1, 3), "cpu"),
    "batch_size": Knob("batch_size", Choice((32, 64, 128)), "cpu"),
}


def a_second(plant: Any) -> None:
    plant.clock.time_s += 1.0


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeLinux:
    created = FakeLinux()
    monkeypatch.setattr(scheduling, "write", created.write)
    monkeypatch.setattr(scheduling, "read", lambda thread: created.now[thread])
    return created


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("knobs", [None, ("nodes",)])
def test_the_simulated_plant_passes(name, knobs):
    simulation = Simulation("static", generate("diurnal", 0.25), knobs=knobs)
    check(name, partial(make_plant, simulation, simulation.load()), lambda plant: None)


@pytest.mark.parametrize("name", CHECKS)
def test_the_remote_plant_passes(name):
    service = FakeService()

    def let_a_second_pass(plant):
        service.play(1.0)
        plant._clock.time_s += 1.0
        plant._scraper.order(0.0)
        plant._scraper.wait(5)

    with served(service) as address:
        section = {"metrics_url": f"{address}/metrics", "control_url": address} | MAPPING
        check(name, lambda: ScrapedByHand(surroundings(section)), let_a_second_pass)


@pytest.mark.parametrize("name", CHECKS)
def test_the_process_plant_passes(name, kernel):
    def attach():
        sidecar = SidecarSection(processes=("cgroup:/no/such",))
        config = Config.model_construct(
            sidecar=sidecar,
            loop=Config.model_fields["loop"].default,
            pipeline=Config.model_fields["pipeline"].default,
        )
        plant = ProcessPlant(Surroundings(config, FakeClock(), FakeLease(kernel), PERMISSIONS))
        plant._threads._threads = FakeThreads()
        plant._threads._background = SimpleNamespace(processes=tuple)
        return plant

    def let_a_second_pass(plant):
        plant._clock.time_s += 1.0

    check(name, attach, let_a_second_pass)


class FakePipeline:
    """The pipeline's side of the conversation, in numbers."""

    def __init__(self, directory: Path) -> None:
        self.knobs = {"nodes": 1, "batch_size": 64}

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        if do == "set" and details["knob"] in self.knobs and isinstance(details["value"], int):
            self.knobs[details["knob"]] = details["value"]
        elif do == "set":
            return {"error": f"no knob {details['knob']} takes {details['value']!r}"}
        if do == "hello":
            return {"knobs": to_plain(EXECUTOR_KNOBS), "found": dict(self.knobs)}
        return {} if do in ("set", "budget") else self.report()

    def report(self) -> dict[str, Any]:
        return {
            "made_ns": time.monotonic_ns(),
            "finished": False,
            "load": 8,
            "blocks": {"on_time": 1490, "late": 10, "concealed": 0, "lost": 0},
            "latency_ms": {"p50": 0.1, "p95": 0.2, "p99": 0.5, "max": 5.5},
            "processes": {},
            "round_ms": {},
            "knobs": to_plain(EXECUTOR_KNOBS),
            "settings": dict(self.knobs),
            "readings": {},
        }

    def take_report(self) -> None:
        return None

    def order_report(self, due_ns: int) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("name", CHECKS)
def test_the_built_in_plant_passes(name, kernel, monkeypatch):
    monkeypatch.setattr(builtin, "Connection", FakePipeline)
    threads = FakeThreads()
    monkeypatch.setattr(BuiltinPlant, "_class_threads", lambda *_: threads.classes())

    def start():
        return BuiltinPlant(Path(), SPEC, FakeClock(), FakeLease(kernel), PERMISSIONS)

    def let_a_second_pass(plant):
        plant._clock.time_s += 1.0

    check(name, start, let_a_second_pass)


class Sound(FakePlant):
    """The plant of the loop's tests, which refuses what it cannot do; each test spoils it."""

    deadline_ms = 5.0
    counted = "blocks"

    def __init__(self):
        super().__init__(FakeClock())

    def apply(self, knob, value):
        if knob not in self.knobs_here or not self.knobs_here[knob].domain.allows(value):
            return Refusal(knob, f"it cannot be {value}")
        return super().apply(knob, value)

    def restore(self, knob):
        return super().restore(knob) if knob in self.found else Refusal(knob, "no such knob")

    def helpers(self):
        return ()


def test_a_sound_plant_passes():
    check_all(Sound, a_second)


def test_a_plant_in_which_requests_take_their_time_passes():
    def slowly():
        plant = Sound()
        plant.arrives_after_s = 3.0
        return plant

    check_all(slowly, a_second)


class Misnamed(Sound):
    def knobs(self):
        return {"workers": KNOBS["nodes"]}


class Ajar(Sound):
    def in_force(self):
        return dict(self.values)


class Shaky(Sound):
    def apply(self, knob, value):
        return super().apply(self.knobs_here[knob].id, value)


class Credulous(Sound):
    def apply(self, knob, value):
        if isinstance(value, str):
            return None
        return super().apply(knob, value)


class Evasive(Sound):
    def apply(self, knob, value):
        refusal = super().apply(knob, value)
        return refusal and replace(refusal, knob="some knob")


class Boundless(Sound):
    def apply(self, knob, value):
        return FakePlant.apply(self, knob, value)


class Obliging(Sound):
    def apply(self, knob, value):
        FakePlant.apply(self, knob, value)
        return super().apply(knob, value)


class Unlimited(Sound):
    def __init__(self):
        super().__init__()
        self.values["nodes"] = self.found["nodes"] = 9


class Surplus(Sound):
    def __init__(self):
        super().__init__()
        del self.knobs_here["nodes"]


class Deaf(Sound):
    def apply(self, knob, value):
        refusal = super().apply(knob, value)
        self.values = dict(self.found)
        return refusal


class Keeping(Sound):
    def restore(self, knob):
        return None


class Unwilling(Sound):
    def restore(self, knob):
        return Refusal(knob, "it is too late")


class Telling(Sound):
    said: dict[str, object]

    def observe(self):
        return replace(super().observe(), **self.said)


class Stopped(Telling):
    said = {"time_s": 1000.0}  # noqa: RUF012


class Shrinking(Telling):
    said = {"blocks": BlockCounts(on_time=-1)}  # noqa: RUF012


class Timeless(Telling):
    said = {"no_deadline": "the server freewheels"}  # noqa: RUF012


class Raw(Telling):
    said = {"readings": {"cpu.utilisation": 0.5}}  # noqa: RUF012


class Undefined(Telling):
    said = {"readings": {"cpu.utilisation": Value(float("nan"))}}  # noqa: RUF012


class Indebted(Telling):
    said = {"load": Value(-1.0)}  # noqa: RUF012


class Topsy(Telling):
    said = {"latency": Quantiles(Value(4.0), Value(3.0), Value(2.0), Value(1.0))}  # noqa: RUF012


class Wordless(Telling):
    said = {"events": (7,)}  # noqa: RUF012


class Undecided(Sound):
    asked = 0

    def finished(self):
        self.asked += 1
        return self.asked % 2 == 0


class Fragile(Sound):
    closed = False

    def close(self):
        if self.closed:
            raise ValueError("closed already")
        self.closed = True


class Lasting(Sound):
    left: dict[str, object] = {}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.values |= self.left

    def close(self):
        Lasting.left = dict(self.values)


class Slow(Sound):
    def in_force(self):
        until_s = time.perf_counter() + 0.02
        while time.perf_counter() < until_s:
            pass
        return super().in_force()


class Endless(Sound):
    deadline_ms = float("inf")


class Odd(Sound):
    counted = "beans"


class Nameless(Sound):
    def helpers(self):
        return ("the daemon",)


@pytest.fixture
def short_budget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("controller.plants.checks.BUDGET_S", 0.01)


@pytest.mark.usefixtures("short_budget")
@pytest.mark.parametrize(
    ("name", "make", "why"),
    [
        ("typed", Misnamed, "the knob 'workers' is Knob"),
        ("total", Shaky, r"apply\('no such knob', 1\) raised KeyError"),
        ("total", Credulous, "thread_classes takes no such value"),
        ("total", Evasive, "is answered by Refusal.*some knob"),
        ("bounded", Boundless, "thread_classes takes audio realtime 100"),
        ("bounded", Obliging, "what was refused is in force"),
        ("consistent", Unlimited, "nodes is 9; possible: 1 to 4"),
        ("consistent", Surplus, "'nodes' is in force, and no knob"),
        ("obedient", Deaf, "was taken; in force is"),
        ("restorable", Keeping, "found was .* restored is"),
        ("restorable", Unwilling, "is not restored: it is too late"),
        ("truthful", Stopped, "after 1000.0 s comes 1000.0 s"),
        ("truthful", Shrinking, "counts are whole numbers, never negative"),
        ("truthful", Timeless, r"there is no deadline \(the server freewheels\)"),
        ("truthful", Raw, r"cpu\.utilisation is 0\.5; a reading is one of"),
        ("truthful", Undefined, "which is Invalid, not a value"),
        ("truthful", Indebted, r"the load is -1\.0"),
        ("truthful", Topsy, "quantiles do not ascend"),
        ("truthful", Wordless, r"events are texts, not \(7,\)"),
        ("conclusive", Undecided, "it had finished, and goes on"),
        ("closable", Fragile, r"cannot be closed again: ValueError"),
        ("closable", Lasting, "once it is closed: found was"),
        ("swift", Slow, r"takes .* s, the budget is 0\.01 s"),
        ("attachable", Endless, "its deadline is inf ms"),
        ("attachable", Odd, "its blocks are 'beans'"),
        ("attachable", Nameless, "helpers are process ids"),
    ],
)
def test_what_is_wrong_is_found(name, make, why):
    with pytest.raises(PlantFault, match=why):
        check(name, make, a_second)
