"""What PipeWire's tools print, as it was recorded (0.3.65) or is documented (pw-top, 0.3.79)."""

from __future__ import annotations

import json

import pytest

from controller.plants.pipewire import meter as pipewire_meter
from controller.plants.pipewire import tools as pipewire_tools
from controller.plants.pipewire.meter import ProfilerMeter, TopMeter, meter_for
from controller.plants.pipewire.pw_dump import Graph
from controller.plants.pipewire.pw_profiler import Cycle, Rows
from controller.plants.pipewire.pw_top import Row, Tables


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


CORE = thing(0, "Core", cookie=1679004975, name="pipewire-0", version="0.3.65", props={})
SINK = thing(36, "Node", state="running", props={"node.driver": True, "node.name": "null-sink"})
CLIENT = thing(35, "Client", props={"application.process.id": 7, "pipewire.sec.pid": 3141})
PLAYER = thing(41, "Node", state="running", props={"client.id": 35, "node.name": "pw-play"})
IDLE_CLIENT = thing(46, "Client", props={"pipewire.sec.pid": 3213})
FIRST = [CORE, settings(rate=48000, quantum=1024, force_quantum=64), SINK, CLIENT, PLAYER]
FIRST += [IDLE_CLIENT]


def text(*arrays: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(array, indent=2).encode() + b"\n" for array in arrays)


class TestTheGraph:
    def test_it_tells_the_server_its_settings_and_the_clients_that_have_nodes(self) -> None:
        graph = Graph()
        assert not graph.is_known
        graph.feed(text(FIRST))
        assert graph.is_known
        assert graph.server == ("pipewire-0", 1679004975)
        assert graph.setting("clock.force-quantum") == 64
        assert graph.setting("clock.force-rate") == 0
        assert graph.clients == (3141,)
        assert graph.plays

    def test_only_what_changed_is_told_again(self) -> None:
        graph = Graph()
        resting = thing(36, "Node", state="suspended", props={"node.driver": True})
        graph.feed(
            text(FIRST, [settings(force_quantum=128)], [resting], [{"id": 41, "info": None}])
        )
        assert graph.setting("clock.force-quantum") == 128
        assert graph.setting("clock.quantum") == 1024
        assert not graph.plays
        assert graph.clients == ()

    def test_arrays_may_come_in_parts_cut_anywhere(self) -> None:
        named = thing(50, "Node", state="idle", props={"node.name": "Flöte"})
        whole, graph = text(FIRST, [named], [settings(force_quantum=256)]), Graph()
        for at in range(0, len(whole), 7):
            graph.feed(whole[at : at + 7])
        assert graph.setting("clock.force-quantum") == 256

    def test_the_rate_is_that_of_a_driver_at_work(self) -> None:
        graph = Graph()
        graph.feed(text(FIRST))
        assert graph.rate_hz == 48_000
        format_, props = {"Format": [{"format": "F32P", "rate": 44_100}]}, {"node.driver": True}
        graph.feed(text([thing(36, "Node", state="running", props=props, params=format_)]))
        assert graph.rate_hz == 44_100

    def test_other_metadata_are_no_settings(self) -> None:
        graph = Graph()
        default = {**settings(force_quantum=512), "props": {"metadata.name": "default"}}
        graph.feed(text(FIRST, [default]))
        assert graph.setting("clock.force-quantum") == 64

    def test_without_a_trusted_process_id_that_of_the_client_itself_counts(self) -> None:
        graph = Graph()
        graph.feed(text([thing(35, "Client", props={"application.process.id": 7}), PLAYER]))
        assert graph.clients == (7,)


def row(*followers: str, period: str = "1335", total: str = "60") -> bytes:
    columns = [period, total, "0", "1333", *(each for one in followers for each in one.split())]
    return "\t".join((*columns, *[" "] * 8 * (64 - len(followers)), "\n")).encode()


DONE, NOT_WOKEN, NOT_DONE = "41 2 24 30 0 6 3 0", "40 7059 7059 19 0 0 1 0", "42 0 9 0 0 0 2 0"


class TestRowsOfTheProfiler:
    def test_a_cycle_is_as_late_and_as_long_as_the_worst_of_its_followers(self) -> None:
        (cycle,) = Rows().feed(row(DONE, "43 24 40 900 0 860 3 0"))
        assert cycle == Cycle(1333.0, late_us=22.0, busy_us=860.0, end_us=900.0, missed=False)

    @pytest.mark.parametrize("follower", [NOT_WOKEN, NOT_DONE])
    def test_one_that_is_not_done_in_time_makes_it_missed_and_a_period_late(
        self, follower: str
    ) -> None:
        (cycle,) = Rows().feed(row(DONE, follower))
        assert cycle == Cycle(1333.0, late_us=1333.0, busy_us=6.0, end_us=1333.0, missed=True)

    def test_nobody_waits_for_one_that_has_no_part_in_the_cycle(self) -> None:
        gap = " \t" * 8
        text = b"1335\t60\t0\t1333\t" + gap.encode() + DONE.replace(" ", "\t").encode() + b"\t\n"
        inactive = row(DONE, "44 0 0 0 0 0 4 0")
        assert [cycle.missed for cycle in Rows().feed(text + inactive)] == [False, False]

    def test_rows_may_come_in_parts_and_later_versions_write_fractions(self) -> None:
        rows = Rows()
        assert rows.feed(b"1335.250\t60.125\t0.000\t1333.333\t41\t0.000\t24.5") == []
        (cycle,) = rows.feed(b"00\t30.000\t24.500\t5.500\t3\t0\t\n")
        assert cycle == Cycle(1333.333, late_us=24.5, busy_us=5.5, end_us=30.0, missed=False)


HEADER = "S   ID  QUANT   RATE    WAIT    BUSY   W/Q   B/Q  ERR FORMAT           NAME \n"
TABLE = """\
S   30      0      0    ---     ---   ---   ---     0                  Dummy-Driver
R   36     64  48000  12.3µs   1.2ms  0.01  0.90    {0}    S16LE 2 48000 alsa_output.usb
R   41      0      0  24.1us   6.0us  0.02  0.00    {1}   F32LE 2 48000  + pw-play
R   42   1024  48000   +++     +++    +++   +++     {2}                   = Firefox
I   55   1024  48000    ---     ---   ---   ---    99    S16LE 2 48000 alsa_input.idle
"""


class TestTablesOfTop:
    def test_a_table_is_complete_once_the_next_begins(self) -> None:
        tables = Tables()
        assert tables.feed(HEADER + TABLE.format(1, 2, 3)) == []
        (rows,) = tables.feed(HEADER)
        assert [(each.id, each.drives, each.runs, each.errors) for each in rows] == [
            (30, True, False, 0),
            (36, True, True, 1),
            (41, False, True, 2),
            (42, False, True, 3),
            (55, True, False, 99),
        ]

    def test_shares_that_were_not_measured_are_none(self) -> None:
        (rows,) = Tables().feed(HEADER + TABLE.format(0, 0, 0) + HEADER)
        assert [each.busy_share for each in rows] == [None, 0.90, 0.00, None, None]

    def test_columns_are_found_by_their_titles(self) -> None:
        wider = "S   ID  NEW  QUANT   RATE    WAIT    BUSY   W/Q   B/Q  ERR  FORMAT  NAME\n"
        line = "R   36  what   64  48000  12.3us   1.2ms  0.01  0.90    4  S16LE 2 48000 sink\n"
        (rows,) = Tables().feed(wider + line + wider)
        assert rows == [Row(36, True, True, 64, 48_000, ("12.3us", "1.2ms"), 0.90, 4)]

    @pytest.mark.parametrize(
        "line", ["", "R   36", "[W] pw.conf: can't load\n", "R x y z 1 2 3 4 5"]
    )
    def test_what_is_no_row_is_passed_over(self, line: str) -> None:
        sound = "R   36     64  48000  12.3us   1.2ms  0.01  0.90    4  sink\n"
        (rows,) = Tables().feed(HEADER + line + "\n" + sound + HEADER)
        assert [each.id for each in rows] == [36]


class TestCounting:
    def test_the_profiler_counts_every_cycle_and_tells_the_times_once(self) -> None:
        meter = ProfilerMeter()
        meter.feed(row(DONE) + row(DONE, NOT_DONE), 48_000)
        line = meter.line()
        assert (line["cycles"], line["missed"], meter.quantum) == (2, 1, 64)
        assert line["latency_ms"] == [0.030, 1.333]
        assert line["lateness_ms"] == [0.022, 1.333]
        assert meter.line()["latency_ms"] == []

    def test_the_profiler_goes_on_counting_when_it_is_started_again(self) -> None:
        meter = ProfilerMeter()
        meter.feed(row(DONE) + b"1335\t60", 48_000)
        meter.begin()
        meter.feed(row(DONE), 48_000)
        assert meter.cycles == 2

    def test_top_reckons_cycles_from_the_time_and_counts_only_new_errors(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now_s = [100.0]
        monkeypatch.setattr(pipewire_meter.time, "monotonic", lambda: now_s[0])
        meter = TopMeter()
        for errors in ((5, 70, 800), (7, 72, 801), (7, 75, 801)):
            now_s[0] += 1.0
            meter.feed((HEADER + TABLE.format(*errors)).encode(), 48_000)
        now_s[0] += 1.0
        meter.feed(HEADER.encode(), 48_000)
        line = meter.line()
        assert (line["cycles"], line["missed"]) == (4 * 750, 2 + 3)
        assert (meter.quantum, line["busy_share"]) == (64, 0.90)  # of the driver and followers

    def test_top_begins_with_the_errors_that_it_finds_when_it_is_started_again(self) -> None:
        meter = TopMeter()
        for errors in (5, 0):
            meter.begin()
            meter.feed((HEADER + TABLE.format(errors, 0, 0) + HEADER).encode(), 48_000)
        assert meter.line()["missed"] == 0

    def test_top_that_shows_the_same_cycle_again_shows_none(self) -> None:
        meter = TopMeter()
        for _ in range(3):
            meter.feed((HEADER + TABLE.format(5, 5, 5)).encode(), 48_000)
        counted = meter.cycles
        meter.feed(HEADER.encode(), 48_000)
        assert meter.cycles == counted

    def test_errors_from_before_a_node_was_seen_at_work_are_not_counted(self) -> None:
        meter = TopMeter()
        unknown = "C   36      0      0    ---     ---   ---   ---     0  alsa_output.usb\n"
        meter.feed((HEADER + unknown + HEADER).encode(), 48_000)
        meter.feed((TABLE.format(241, 284, 3) + HEADER).encode(), 48_000)
        assert meter.line()["missed"] == 0

    @pytest.mark.parametrize(
        ("version", "kind"),
        [((0, 3, 65), ProfilerMeter), ((0, 3, 79), TopMeter), ((1, 0), TopMeter)],
    )
    def test_top_counts_from_the_version_that_prints_into_a_pipe(
        self, version: tuple[int, ...], kind: type
    ) -> None:
        assert isinstance(meter_for(version), kind)


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
