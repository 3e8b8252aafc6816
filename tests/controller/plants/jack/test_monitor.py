"""The monitor of a JACK server, without any server."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from controller.errors import PlantError
from controller.plants.jack import monitor, plant
from controller.plants.jack.monitor import OF_PIPEWIRE, Monitor, is_of_pipewire
from kapellmeister.calibration.jack_client import load_jack


class FakeClient:
    """A client that is told of ports and clients by the test."""

    blocksize, samplerate, realtime, last_frame_time = 256, 48_000, False, 0

    def __init__(self) -> None:
        self.callbacks: dict[str, object] = {}

    def get_ports(self, is_audio: bool) -> list[object]:
        return [SimpleNamespace(name="synth:out")]

    def cpu_load(self) -> float:
        return 12.5

    def activate(self) -> None: ...

    def __getattr__(self, name: str) -> object:
        return lambda callback: self.callbacks.__setitem__(name, callback)


def test_a_client_joins_with_its_first_port_and_none_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(monitor, "connected_server", lambda: "7:1")
    client = FakeClient()
    watching = Monitor(client)
    ports = client.callbacks["set_port_registration_callback"]
    clients = client.callbacks["set_client_registration_callback"]
    clients("asks", True)
    ports(SimpleNamespace(name="synth:out_2"), True)
    assert watching.line()["joined"] == 0
    for name in ("left", "right"):
        ports(SimpleNamespace(name=f"sampler: one:{name}"), True)
    ports(None, True)
    assert watching.line()["joined"] == 1
    clients("synth", False)
    ports(SimpleNamespace(name="synth:out"), True)
    assert watching.line()["joined"] == 2


@pytest.mark.parametrize(
    ("version", "so"),
    [("3.1.4.2 (using PipeWire 1.4.2)", True), ("1.9.21", False), ("", False)],
)
def test_the_libjack_of_pipewire_is_known_by_its_version(version: str, so: bool) -> None:
    assert is_of_pipewire(version) is so


@pytest.fixture
def jack_of_pipewire(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("jack")
    module.version_string = lambda: "3.0.3.65 (using PipeWire 0.3.65)"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jack", module)


def test_the_monitor_joins_no_server_by_the_libjack_of_pipewire(jack_of_pipewire: None) -> None:
    assert list(monitor._lines()) == [{"error": OF_PIPEWIRE}]


def test_nothing_is_measured_by_the_libjack_of_pipewire(jack_of_pipewire: None) -> None:
    with pytest.raises(PlantError, match=r"PipeWire's.*start this without pw-jack"):
        load_jack()


def refusing(plant_name: str, why: str):
    def refuse(surroundings: object) -> None:
        raise PlantError(plant_name, why, "start one")

    return refuse


def test_the_plant_jack_goes_on_as_pipewire_where_that_is_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attached, said = object(), []
    monkeypatch.setattr(plant, "JackPlant", refusing("jack", OF_PIPEWIRE[0]))
    monkeypatch.setattr(plant, "PipeWirePlant", lambda surroundings: attached)
    assert plant.attach(SimpleNamespace(say=said.append)) is attached  # type: ignore[arg-type]
    (line,) = said
    assert "PipeWire's" in line
    assert "--plant pipewire" in line


def test_where_that_does_not_answer_one_line_says_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plant, "JackPlant", refusing("jack", OF_PIPEWIRE[0]))
    monkeypatch.setattr(plant, "PipeWirePlant", refusing("pipewire", "no server answers"))
    with pytest.raises(PlantError, match=r"plant jack: .*PipeWire's.*no server answers; start one"):
        plant.attach(SimpleNamespace(say=print))  # type: ignore[arg-type]


def test_another_refusal_of_jack_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plant, "JackPlant", refusing("jack", "no server answers"))
    with pytest.raises(PlantError, match="plant jack: no server answers; start one"):
        plant.attach(SimpleNamespace(say=print))  # type: ignore[arg-type]
