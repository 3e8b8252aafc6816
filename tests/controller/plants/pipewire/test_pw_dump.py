"""The graph of a PipeWire server, from pw-dump as it was recorded (0.3.65)."""

from __future__ import annotations

import json

import pytest

from controller.plants.pipewire.pw_dump import Client, Graph


def thing(number: int, kind: str, **info: object) -> dict[str, object]:
    return {"id": number, "type": f"PipeWire:Interface:{kind}", "version": 3, "info": info}


def settings(**values: int) -> dict[str, object]:
    return {
        "id": 30,
        "type": "PipeWire:Interface:Metadata",
        "props": {"metadata.name": "settings", "object.serial": 30},
        "metadata": [
            {"subject": 0, "key": f"clock.{key}".replace("_", "-"), "type": "", "value": value}
            for key, value in values.items()
        ],
    }


CORE = thing(
    0,
    "Core",
    cookie=1679004975,
    name="pipewire-0",
    version="0.3.65",
    props={"application.process.id": 3100},
)
SINK = thing(36, "Node", state="running", props={"node.driver": True, "node.name": "null-sink"})
CLIENT = thing(
    35,
    "Client",
    props={"application.process.id": 7, "pipewire.sec.pid": 3141, "object.serial": 40},
)
PLAYER = thing(41, "Node", state="running", props={"client.id": 35, "node.name": "pw-play"})
IDLE_CLIENT = thing(46, "Client", props={"pipewire.sec.pid": 3213})
LINK = {
    "id": 50,
    "type": "PipeWire:Interface:Link",
    "info": {"output-node-id": 41, "input-node-id": 36, "state": "active"},
}
FIRST = [CORE, settings(rate=48000, quantum=1024, force_quantum=64), SINK, CLIENT, PLAYER]
FIRST += [IDLE_CLIENT, LINK]


def text(*arrays: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(array, indent=2).encode() + b"\n" for array in arrays)


def test_the_graph_tells_the_server_its_settings_and_the_clients_that_have_nodes() -> None:
    graph = Graph()
    assert not graph.is_known
    assert graph.feed(text(FIRST))
    assert graph.is_known
    assert (graph.server, graph.server_pid) == (("pipewire-0", 1679004975), 3100)
    assert graph.setting("clock.force-quantum") == 64
    assert graph.setting("clock.force-rate") == 0
    assert graph.clients == {35: Client(35, 40, 3141)}
    assert graph.links == {50: (41, 36)}
    assert graph.nodes[36].drives


def test_only_what_changed_is_told_again() -> None:
    graph = Graph()
    resting = thing(36, "Node", state="suspended", props={"node.driver": True})
    graph.feed(text(FIRST, [settings(force_quantum=128)], [resting], [{"id": 41, "info": None}]))
    assert graph.setting("clock.force-quantum") == 128
    assert graph.setting("clock.quantum") == 1024
    assert not graph.nodes[36].runs
    assert graph.clients == {}


def test_arrays_may_come_in_parts_cut_anywhere() -> None:
    named = thing(50, "Node", state="idle", props={"node.name": "Flöte"})
    whole, graph = text(FIRST, [named], [settings(force_quantum=256)]), Graph()
    told = [graph.feed(whole[at : at + 7]) for at in range(0, len(whole), 7)]
    assert graph.setting("clock.force-quantum") == 256
    assert sum(told) == 3


def test_other_metadata_are_no_settings() -> None:
    graph = Graph()
    default = {**settings(force_quantum=512), "props": {"metadata.name": "default"}}
    graph.feed(text(FIRST, [default]))
    assert graph.setting("clock.force-quantum") == 64


def test_what_a_client_says_of_its_process_is_not_believed() -> None:
    graph = Graph()
    graph.feed(text([thing(35, "Client", props={"application.process.id": 7}), PLAYER]))
    assert graph.clients == {35: Client(35, 0, 0)}


@pytest.mark.parametrize("lock", [{"node.lock-quantum": True}, {"node.force-quantum": 256}])
def test_a_node_at_work_that_wants_the_quantum_left_alone_is_named(lock: dict[str, object]) -> None:
    graph = Graph()
    graph.feed(text(FIRST))
    assert graph.locked_by == ""
    renderer = thing(60, "Node", state="running", props={"node.name": "renderer", **lock})
    graph.feed(text([renderer]))
    assert graph.locked_by == "renderer"
    graph.feed(text([thing(60, "Node", state="suspended", props=lock)]))
    assert graph.locked_by == ""


@pytest.mark.parametrize(
    ("kind", "shows"),
    [("Video/Source", True), ("Stream/Input/Video", True), ("Audio/Sink", False)],
)
def test_a_node_with_pictures_is_known_by_its_class(kind: str, shows: bool) -> None:
    graph = Graph()
    graph.feed(text([thing(60, "Node", state="running", props={"media.class": kind})]))
    assert graph.nodes[60].shows == shows


def test_values_that_are_none_of_their_kind_are_passed_over() -> None:
    graph = Graph()
    odd = {"node.name": 7, "node.group": 12, "node.latency": "fast", "client.id": "x"}
    graph.feed(text([thing(60, "Node", state="running", props=odd, params={"Format": []})]))
    node = graph.nodes[60]
    assert (node.name, node.latency, node.client, node.rate_hz) == ("7", (0, 0), None, 0)
