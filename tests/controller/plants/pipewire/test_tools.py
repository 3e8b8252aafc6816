"""What PipeWire's tools print, as it was recorded (0.3.65) or is documented (pw-top, 0.3.79)."""

from __future__ import annotations

import json

import pytest
from pipewire_tables import DONE, HEADER, NOT_DONE, NOT_WOKEN, TABLE, row, seconds

from controller.plants.pipewire import tools as pipewire_tools
from controller.plants.pipewire.pw_dump import Client, Graph
from controller.plants.pipewire.pw_profiler import Cycle, Rows
from controller.plants.pipewire.pw_top import Row, Table, Tables


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


class TestTheGraph:
    def test_it_tells_the_server_its_settings_and_the_clients_that_have_nodes(self) -> None:
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

    def test_only_what_changed_is_told_again(self) -> None:
        graph = Graph()
        resting = thing(36, "Node", state="suspended", props={"node.driver": True})
        graph.feed(
            text(FIRST, [settings(force_quantum=128)], [resting], [{"id": 41, "info": None}])
        )
        assert graph.setting("clock.force-quantum") == 128
        assert graph.setting("clock.quantum") == 1024
        assert not graph.nodes[36].runs
        assert graph.clients == {}

    def test_arrays_may_come_in_parts_cut_anywhere(self) -> None:
        named = thing(50, "Node", state="idle", props={"node.name": "Flöte"})
        whole, graph = text(FIRST, [named], [settings(force_quantum=256)]), Graph()
        told = [graph.feed(whole[at : at + 7]) for at in range(0, len(whole), 7)]
        assert graph.setting("clock.force-quantum") == 256
        assert sum(told) == 3

    def test_other_metadata_are_no_settings(self) -> None:
        graph = Graph()
        default = {**settings(force_quantum=512), "props": {"metadata.name": "default"}}
        graph.feed(text(FIRST, [default]))
        assert graph.setting("clock.force-quantum") == 64

    def test_what_a_client_says_of_its_process_is_not_believed(self) -> None:
        graph = Graph()
        graph.feed(text([thing(35, "Client", props={"application.process.id": 7}), PLAYER]))
        assert graph.clients == {35: Client(35, 0, 0)}

    @pytest.mark.parametrize("lock", [{"node.lock-quantum": True}, {"node.force-quantum": 256}])
    def test_a_node_at_work_that_wants_the_quantum_left_alone_is_named(
        self, lock: dict[str, object]
    ) -> None:
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
    def test_a_node_with_pictures_is_known_by_its_class(self, kind: str, shows: bool) -> None:
        graph = Graph()
        graph.feed(text([thing(60, "Node", state="running", props={"media.class": kind})]))
        assert graph.nodes[60].shows == shows

    def test_values_that_are_none_of_their_kind_are_passed_over(self) -> None:
        graph = Graph()
        odd = {"node.name": 7, "node.group": 12, "node.latency": "fast", "client.id": "x"}
        graph.feed(text([thing(60, "Node", state="running", props=odd, params={"Format": []})]))
        node = graph.nodes[60]
        assert (node.name, node.latency, node.client, node.rate_hz) == ("7", (0, 0), None, 0)


class TestRowsOfTheProfiler:
    def test_a_cycle_is_as_late_and_as_long_as_the_worst_of_its_followers(self) -> None:
        (cycle,) = Rows().feed(row(DONE, "43 24 40 900 0 860 3 0"))
        assert cycle == Cycle(1333.0, 22.0, 860.0, end_us=900.0, missed=False, follower=43)

    @pytest.mark.parametrize("follower", [NOT_WOKEN, NOT_DONE])
    def test_one_that_is_not_done_in_time_makes_it_missed_and_a_period_late(
        self, follower: str
    ) -> None:
        (cycle,) = Rows().feed(row(DONE, follower))
        assert (cycle.period_us, cycle.late_us, cycle.busy_us) == (1333.0, 1333.0, 6.0)
        assert (cycle.end_us, cycle.missed) == (1333.0, True)

    def test_nobody_waits_for_one_that_has_no_part_in_the_cycle(self) -> None:
        gap = " \t" * 8
        text = b"1335\t60\t0\t1333\t" + gap.encode() + DONE.replace(" ", "\t").encode() + b"\t\n"
        inactive = row(DONE, "44 0 0 0 0 0 4 0")
        assert [cycle.missed for cycle in Rows().feed(text + inactive)] == [False, False]

    def test_rows_may_come_in_parts_and_later_versions_write_fractions(self) -> None:
        rows = Rows()
        assert rows.feed(b"1335.250\t60.125\t0.000\t1333.333\t41\t0.000\t24.5") == []
        (cycle,) = rows.feed(b"00\t30.000\t24.500\t5.500\t3\t0\t\n")
        assert cycle == Cycle(1333.333, 24.5, 5.5, end_us=30.0, missed=False, follower=41)


ROW = "R   36     64  48000  12.3us   1.2ms  0.01  0.90    4  S16LE 2 48000 sink\n"


def printed(text: str, tables: Tables, at_s: float = 0.0) -> list[Table]:
    return tables.feed(text.encode(), seconds(at_s))


class TestTablesOfTop:
    def test_a_table_is_complete_once_the_next_begins_and_is_of_when_it_was_printed(self) -> None:
        tables = Tables()
        assert printed(HEADER + TABLE.format(1, 2, 3), tables, 1.0) == []
        (table,) = printed(HEADER, tables, 2.0)
        assert table.printed_ns == 1_000_000_000
        assert [(each.id, each.drives, each.runs, each.errors) for each in table.rows] == [
            (30, True, False, 0),
            (36, True, True, 1),
            (41, False, True, 2),
            (42, False, True, 3),
            (55, True, False, 99),
        ]

    def test_one_that_nothing_follows_for_a_moment_is_complete(self) -> None:
        tables = Tables()
        printed(HEADER + TABLE.format(1, 2, 3), tables, 1.0)
        assert tables.pause(seconds(1.01)) is None
        table = tables.pause(seconds(1.1))
        assert table is not None
        assert (table.printed_ns, len(table.rows)) == (1_000_000_000, 5)
        assert tables.pause(seconds(1.2)) is None
        assert printed(HEADER, tables, 2.0) == []

    def test_one_that_is_cut_in_two_is_complete_with_the_rest(self) -> None:
        tables = Tables()
        printed(HEADER + TABLE.format(1, 2, 3), tables, 1.0)
        assert tables.pause(seconds(1.1)) is not None
        first, second = TABLE.format(4, 5, 6)[:200], TABLE.format(4, 5, 6)[200:]
        printed(HEADER + first, tables, 2.0)
        assert tables.pause(seconds(2.3)) is None
        printed(second, tables, 2.4)
        table = tables.pause(seconds(2.5))
        assert table is not None
        assert (table.printed_ns, len(table.rows)) == (2_000_000_000, 5)

    def test_one_with_fewer_nodes_than_the_last_waits_for_the_next(self) -> None:
        tables = Tables()
        printed(HEADER + TABLE.format(1, 2, 3), tables, 1.0)
        printed(HEADER + ROW, tables, 2.0)
        assert tables.pause(seconds(2.5)) is None
        (table,) = printed(HEADER + ROW, tables, 3.0)
        assert table.printed_ns == 2_000_000_000
        assert tables.pause(seconds(3.1)) is not None

    def test_shares_that_were_not_measured_are_none(self) -> None:
        (table,) = printed(HEADER + TABLE.format(0, 0, 0) + HEADER, Tables())
        assert [each.busy_share for each in table.rows] == [None, 0.90, 0.00, None, None]

    def test_columns_are_found_by_their_titles(self) -> None:
        wider = "S   ID  NEW  QUANT   RATE    WAIT    BUSY   W/Q   B/Q  ERR  FORMAT  NAME\n"
        line = "R   36  what   64  48000  12.3us   1.2ms  0.01  0.90    4  S16LE 2 48000 sink\n"
        (table,) = printed(wider + line + wider, Tables())
        assert table.rows == (Row(36, True, True, 64, 48_000, ("12.3us", "1.2ms"), 0.90, 4),)

    @pytest.mark.parametrize(
        "line", ["", "R   36", "[W] pw.conf: can't load\n", "R x y z 1 2 3 4 5"]
    )
    def test_what_is_no_row_is_passed_over(self, line: str) -> None:
        (table,) = printed(HEADER + line + "\n" + ROW + HEADER, Tables())
        assert [each.id for each in table.rows] == [36]

    def test_a_name_that_is_cut_within_a_letter_is_read_whole(self) -> None:
        text, tables = (HEADER + ROW.replace("sink", "Flöte") + HEADER).encode(), Tables()
        found = [table for at in range(len(text)) for table in tables.feed(text[at : at + 1], 0)]
        assert len(found) == 1


def test_the_version_is_that_of_the_library_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "pw-dump\nCompiled with libpipewire 0.3.60\nLinked with libpipewire 1.0.5\n"
    monkeypatch.setattr(pipewire_tools, "_output", lambda _: said)
    assert pipewire_tools.version() == (1, 0, 5)
    monkeypatch.setattr(pipewire_tools, "_output", lambda _: "")
    assert pipewire_tools.version() == (0,)


def test_a_quantum_is_forced_where_the_server_is_whoever_runs_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PIPEWIRE_REMOTE", raising=False)
    monkeypatch.delenv("PIPEWIRE_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    place, setting = "XDG_RUNTIME_DIR=/run/user/1000", ("0", "clock.force-quantum", "128")
    assert pipewire_tools.forcing(128) == ("env", place, "pw-metadata", "-n", "settings", *setting)
