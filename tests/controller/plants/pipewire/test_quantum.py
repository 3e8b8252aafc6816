"""How a quantum is forced, and restored."""

from __future__ import annotations

import json

import pytest

from controller.plants.audio_server.original_setting import OriginalSetting
from controller.plants.pipewire import quantum
from controller.plants.pipewire.pw_dump import Graph, Node
from controller.watchdog.restoration import LEFT_ALONE


@pytest.mark.parametrize(
    ("cookie", "forced", "restored"), [(7, 128, True), (7, 256, False), (8, 128, False)]
)
def test_a_quantum_is_restored_only_by_its_own_server_and_only_where_it_is_still_ours(
    monkeypatch: pytest.MonkeyPatch, cookie: int, forced: int, restored: bool
) -> None:
    core = {"id": 0, "type": "PipeWire:Interface:Core", "info": {"cookie": cookie}}
    setting = {"key": "clock.force-quantum", "value": forced}
    settings = {
        "id": 1,
        "type": "PipeWire:Interface:Metadata",
        "props": {"metadata.name": "settings"},
        "metadata": [setting],
    }
    run: list[tuple[str, ...]] = []
    monkeypatch.setattr(quantum, "dump", lambda: json.dumps([core, settings]).encode())
    monkeypatch.setattr(quantum, "run", run.append)
    arguments = OriginalSetting(64, (128,), "7").arguments()
    assert quantum.restore(arguments) == (None if restored else LEFT_ALONE)
    assert [command[-1] for command in run] == (["64"] if restored else [])


@pytest.mark.parametrize(
    ("locked", "forced"), [(True, ["64", "0"]), (False, ["0"])], ids=["locked", "free"]
)
def test_what_was_played_is_forced_first_where_a_program_holds_what_is_forced(
    monkeypatch: pytest.MonkeyPatch, locked: bool, forced: list[str]
) -> None:
    run: list[tuple[str, ...]] = []
    monkeypatch.setattr(quantum, "run", run.append)
    graph = Graph()
    graph.nodes = {60: Node(60, "renderer", runs=True, locks=locked)}
    assert quantum.force(graph, 0, played=64) is None
    assert [command[-1] for command in run] == forced
